// A forge in memory, as updates see it. What it does over HTTP is tested with the servers of forge-server.
import type {
  BranchFacts,
  CommitStatusSpecification,
  Forge,
  LandResult,
  PullRequest,
} from "../../src/forge/forge.ts";
import type { Commit } from "../../src/protocol/names.ts";
import type { FakeRepository } from "./fake-repository.ts";

/** What a test changes as people would. */
export interface FakePull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  readonly createdAt: Date;
  state: PullRequest["state"];
  title: string;
  body: string;
  labels: string[];
  reviews: number;
}

export interface FakeForge extends Forge {
  readonly pulls: FakePull[];
  readonly said: { readonly number: number; readonly id: number; readonly author: string; body: string }[];
  readonly statuses: (CommitStatusSpecification & { readonly commit: Commit })[];
  readonly files: Map<number, string[]>;
  /** Of protected branches, for advice. */
  readonly branches: Map<string, BranchFacts>;
  /** What it answers to a merge; it merges without one. */
  refusal: LandResult | undefined;
  takesFiles: boolean;
}

export function createFakeForge(repository: FakeRepository, now: () => Date): FakeForge {
  const user = "bot";
  const url = "https://git.example/home/fleet";
  const known = new Set<string>();
  const pullOf = (number: number): FakePull => {
    const found = forge.pulls.find((pull) => pull.number === number);
    if (found === undefined) throw new Error(`there is no pull request ${number}`);
    return found;
  };
  const seen = ({ reviews: _reviews, ...pull }: FakePull): PullRequest => ({
    ...pull,
    labels: [...pull.labels],
    url: `${url}/pulls/${pull.number}`,
    headCommit: repository.tip(pull.head),
  });
  const forge: FakeForge = {
    pulls: [],
    said: [],
    statuses: [],
    files: new Map(),
    branches: new Map(),
    refusal: undefined,
    takesFiles: true,
    kind: "gitea",
    version: "1.26.0",
    user,
    maxBodyBytes: 60_000,
    web: { repository: url, commit: (commit) => `${url}/commit/${commit}` },
    repository: async () => ({
      permissions: { push: true },
      isArchived: false,
      isMirror: false,
      isEmpty: false,
      hasPullRequests: true,
    }),
    branch: async (name) => forge.branches.get(name),
    deleteBranch: async (name) => (repository.refs.delete(`refs/heads/${name}`) ? "deleted" : "absent"),
    ensureStatus: async (commit, specification) => void forge.statuses.push({ ...specification, commit }),
    pullRequests: async ({ state, head, base }) =>
      forge.pulls
        .filter((pull) => (state === "open") === (pull.state === "open"))
        .filter((pull) => (head ?? pull.head) === pull.head && (base ?? pull.base) === pull.base)
        .map(seen),
    async ensurePullRequest({ head, base, title, body, marker }) {
      const there = forge.pulls.find(
        (pull) => pull.state === "open" && pull.head === head && pull.base === base,
      );
      if (there !== undefined && !there.body.includes(marker))
        return { type: "foreign", pullRequest: seen(there) };
      if (there !== undefined)
        return { type: "edited", pullRequest: seen(Object.assign(there, { title, body })) };
      const number = forge.pulls.length + 1;
      const pull: FakePull = {
        number,
        head,
        base,
        title,
        body,
        state: "open",
        labels: [],
        reviews: 0,
        createdAt: now(),
      };
      forge.pulls.push(pull);
      return { type: "created", pullRequest: seen(pull) };
    },
    editPullRequest: async (number, change) => seen(Object.assign(pullOf(number), change)),
    closePullRequest: async (number) => seen(Object.assign(pullOf(number), { state: "closed" })),
    async fastForward(number, head) {
      if (forge.refusal !== undefined) return forge.refusal;
      const pull = pullOf(number);
      repository.refs.set(`refs/heads/${pull.base}`, head);
      pull.state = "merged";
      return { type: "landed" };
    },
    async activity(number) {
      const tip = repository.tip(pullOf(number).head);
      const facts = tip === undefined ? [] : [await repository.facts(tip, AbortSignal.timeout(60_000))];
      return { reviews: pullOf(number).reviews, commits: facts };
    },
    comments: async (number) => forge.said.filter((comment) => comment.number === number),
    async ensureComment(number, { marker, body }) {
      const there = forge.said.find(
        (each) => each.number === number && each.author === user && each.body.includes(marker),
      );
      if (there !== undefined) return { type: "edited", comment: Object.assign(there, { body }) };
      const comment = { number, id: forge.said.length + 1, author: user, body };
      forge.said.push(comment);
      return { type: "created", comment };
    },
    async editComment(id, body) {
      const comment = forge.said.find((each) => each.id === id);
      if (comment === undefined) throw new Error(`there is no comment ${id}`);
      return Object.assign(comment, { body });
    },
    async attach(id, { name }) {
      if (!forge.takesFiles) return { type: "refused", reason: "disabled" };
      forge.files.set(id, [...(forge.files.get(id) ?? []), name]);
      return { type: "attached" };
    },
    ensureLabels: async (labels) => labels.forEach(({ name }) => known.add(name)),
    async addLabels(number, names) {
      const pull = pullOf(number);
      pull.labels = [...new Set([...pull.labels, ...names])];
    },
    async removeLabels(number, names) {
      const pull = pullOf(number);
      pull.labels = pull.labels.filter((name) => !names.includes(name));
    },
  };
  return forge;
}
