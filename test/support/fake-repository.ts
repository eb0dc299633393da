// A repository with its remote, in memory: commits, refs that move only from an expected value, and rules of a server.
import { createHash } from "node:crypto";
import type { NewCommit, PushResult, Repository } from "../../src/git/git.ts";
import { parseCommit, type BranchName, type Commit } from "../../src/protocol/names.ts";

export interface FakeRepository extends Repository {
  /** Of the remote. */
  readonly refs: Map<string, Commit>;
  /** The words of a server that refuses a push to such refs, by their names. */
  readonly refusals: Map<string, string>;
  tip(branch: string): Commit | undefined;
  /** A commit of a person on a branch, which is made where it is not there. */
  person(branch: string, files: Readonly<Record<string, string>>): Promise<Commit>;
}

interface Stored extends NewCommit {
  readonly parents: readonly Commit[];
  readonly tree: ReadonlyMap<string, string>;
}

const head = (branch: string): string => `refs/heads/${branch}`;

export function createFakeRepository(): FakeRepository {
  const commits = new Map<Commit, Stored>();
  const refs = new Map<string, Commit>();
  const refusals = new Map<string, string>();
  const root = parseCommit("0".repeat(40));

  function store(commit: NewCommit): Commit {
    const { parent, files, message, author, date } = commit;
    const tree = new Map([...(commits.get(parent)?.tree ?? []), ...files]);
    const content = JSON.stringify([parent, [...files], message, author, date]);
    const id = parseCommit(createHash("sha1").update(content).digest("hex"));
    commits.set(id, { ...commit, tree, parents: parent === root ? [] : [parent] });
    return id;
  }
  function stored(commit: Commit): Stored {
    const found = commits.get(commit);
    if (found === undefined) throw new Error(`there is no commit ${commit}`);
    return found;
  }
  const factsOf = (commit: Commit) => {
    const { parents, author, message, files, date } = stored(commit);
    return {
      parents,
      authorEmail: author.email,
      committedAt: date,
      message,
      changedFiles: [...files.keys()],
    };
  };
  const readFile = async (commit: Commit, path: string): Promise<string | undefined> =>
    stored(commit).tree.get(path);
  const isAncestor = (ancestor: Commit, descendant: Commit): boolean =>
    ancestor === descendant || stored(descendant).parents.some((parent) => isAncestor(ancestor, parent));

  return {
    refs,
    refusals,
    tip: (branch) => refs.get(head(branch)),
    async person(branch, files) {
      const commit = store({
        parent: refs.get(head(branch)) ?? root,
        files: new Map(Object.entries(files)),
        message: "Change",
        author: { name: "kai", email: "kai@homelab.invalid" },
        date: new Date(0),
      });
      refs.set(head(branch), commit);
      return commit;
    },
    mirror: {
      path: "/mirror",
      async resolveBranch(branch: BranchName) {
        const tip = refs.get(head(branch));
        if (tip === undefined) throw new Error(`there is no branch ${branch}`);
        return tip;
      },
      ensureCommit: async (commit) => void stored(commit),
      readFile,
    },
    readFile,
    checkOut: () => Promise.reject(new Error("nobody needs a working tree")),
    commit: async (commit) => store(commit),
    facts: async (commit) => factsOf(commit),
    isAncestor: async (ancestor, descendant) => isAncestor(ancestor, descendant),
    remoteRefs: async (prefix) => new Map([...refs].filter(([ref]) => ref.startsWith(prefix))),
    async readRemote(ref) {
      const commit = refs.get(ref);
      return commit === undefined ? undefined : { commit, facts: factsOf(commit) };
    },
    async push(changes): Promise<PushResult> {
      for (const { ref, from } of changes) {
        const reason = refusals.get(ref);
        if (reason !== undefined) return { type: "refused", reason };
        if (refs.get(ref) !== from) return { type: "moved" };
      }
      for (const { ref, to } of changes) {
        if (to === undefined) refs.delete(ref);
        else refs.set(ref, to);
      }
      return { type: "pushed" };
    },
  };
}

export function requireTip(repository: FakeRepository, branch: string): Commit {
  const tip = repository.tip(branch);
  if (tip === undefined) throw new Error(`there is no branch ${branch}`);
  return tip;
}
