// What a forge knows: one repository with its pull requests, comments, labels and files. Branches are those of a real
// bare repository on disk.
import { randomBytes } from "node:crypto";
import type { GitRemote } from "../git-remote.ts";

export interface User {
  readonly id: number;
  readonly login: string;
  readonly token: string;
  /** Gitea's scopes of the token: `write:repository`. */
  scopes: string[];
  canPush: boolean;
}

export interface Label {
  readonly id: number;
  readonly name: string;
  readonly color: string;
  readonly description: string;
  /** Whether it is the organization's. */
  readonly shared: boolean;
}

export interface Pull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  /** Of a fork when it is not the repository's own. */
  readonly headRepositoryId: number;
  readonly author: string;
  readonly createdAt: Date;
  title: string;
  body: string;
  state: "open" | "closed";
  /** Its head branch was deleted. */
  gone: boolean;
  merged: boolean;
  updatedAt: Date;
  /** What the head was at when it was last there. */
  headCommit: string;
  /** How often it still says that it cannot be merged yet. */
  mergeabilityPending: number;
  readonly reviews: { readonly author: string; readonly state: string }[];
  labels: Label[];
}

export interface Comment {
  readonly id: number;
  readonly pull: number;
  readonly author: string;
  readonly createdAt: Date;
  body: string;
  readonly files: { readonly id: number; readonly name: string; readonly bytes: Buffer }[];
}

export interface CommitStatus {
  readonly commit: string;
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly url: string;
}

/** What a protected branch demands. Whoever may push to it does not have to meet what is demanded of merges. */
export interface Protection {
  readonly canPush?: boolean;
  readonly canMerge?: boolean;
  readonly requiredStatuses?: readonly string[];
  readonly requiredApprovals?: number;
}

export interface ForgeState {
  readonly owner: string;
  readonly name: string;
  readonly repositoryId: number;
  readonly ownerIsOrganization: boolean;
  readonly git: GitRemote["git"];
  readonly users: User[];
  readonly labels: Label[];
  readonly pulls: Pull[];
  readonly comments: Comment[];
  readonly protectedBranches: Map<string, Protection>;
  /** All that was ever said, in order. */
  readonly statuses: CommitStatus[];
  archived: boolean;
  /** A setting of the repository. */
  allowsFastForward: boolean;
  mirror: boolean;
  attachments: { enabled: boolean; allowed_types: string; max_size: number; max_files: number };

  addUser(login: string, options?: { scopes?: string[]; canPush?: boolean }): User;
  addLabel(label: { name: string; color?: string; description?: string; shared?: boolean }): Label;
  /** What a person may do in the browser: no checks. */
  addPull(pull: {
    head: string;
    base: string;
    author: string;
    title?: string;
    body?: string;
    fork?: boolean;
  }): Promise<Pull>;
  addComment(pull: number, author: string, body: string): Comment;
  addFile(comment: Comment, name: string, bytes: Buffer): Comment["files"][number];
  /** The commit of a branch; undefined when there is no such branch. */
  tip(branch: string): Promise<string | undefined>;
  isAncestor(older: string, newer: string): Promise<boolean>;
  /** Brings open pull requests up to date with the branches, and closes those whose head is gone. */
  refresh(): Promise<void>;
}

export interface ForgeStateOptions {
  readonly owner: string;
  readonly name: string;
  readonly ownerIsOrganization: boolean;
  readonly git: GitRemote["git"];
}

const usualScopes = ["write:repository", "write:issue", "read:user"];

export function createForgeState(options: ForgeStateOptions): ForgeState {
  const { git } = options;
  let ids = 0;
  let seconds = 0;
  const newId = (): number => ++ids;
  // Each a second after the one before, and none in the future. What is days old is reminded of.
  const startedAt = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
  const now = (): Date => new Date(startedAt + ++seconds * 1000);
  const repositoryId = newId();

  const state: ForgeState = {
    ...options,
    repositoryId,
    users: [],
    labels: [],
    pulls: [],
    comments: [],
    protectedBranches: new Map(),
    statuses: [],
    archived: false,
    allowsFastForward: true,
    mirror: false,
    attachments: {
      enabled: true,
      allowed_types: ".log,.txt,.gz,.json,.md,.zip",
      max_size: 100,
      max_files: 5,
    },

    addUser(login, { scopes = [...usualScopes], canPush = true } = {}) {
      const user = { id: newId(), login, token: randomBytes(20).toString("hex"), scopes, canPush };
      state.users.push(user);
      return user;
    },
    addLabel({ name, color = "d73a4a", description = "", shared = false }) {
      const label = { id: newId(), name, color, description, shared };
      state.labels.push(label);
      return label;
    },
    async addPull({ head, base, author, title = "Title", body = "", fork = false }) {
      const createdAt = now();
      const pull: Pull = {
        number: state.pulls.length + 1,
        head,
        base,
        headRepositoryId: fork ? newId() : repositoryId,
        author,
        createdAt,
        title,
        body,
        state: "open",
        gone: false,
        merged: false,
        updatedAt: createdAt,
        headCommit: fork ? "f".repeat(40) : ((await state.tip(head)) ?? ""),
        mergeabilityPending: 0,
        reviews: [],
        labels: [],
      };
      state.pulls.push(pull);
      return pull;
    },
    addComment(pull, author, body) {
      const comment = { id: newId(), pull, author, createdAt: now(), body, files: [] };
      state.comments.push(comment);
      return comment;
    },
    addFile(comment, name, bytes) {
      const file = { id: newId(), name, bytes };
      comment.files.push(file);
      return file;
    },
    async tip(branch) {
      const found = await git("for-each-ref", "--format=%(objectname)", "--", `refs/heads/${branch}`);
      return found === "" ? undefined : found.split("\n")[0];
    },
    async isAncestor(older, newer) {
      return git("merge-base", "--is-ancestor", older, newer).then(
        () => true,
        () => false,
      );
    },
    async refresh() {
      const refs = await git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads/");
      const tips = new Map(refs.split("\n").map((line) => [line.split(" ")[0], line.split(" ")[1]]));
      for (const pull of state.pulls) {
        if (pull.headRepositoryId !== repositoryId) continue;
        const tip = tips.get(pull.head);
        pull.gone = tip === undefined;
        if (pull.state !== "open") continue;
        if (tip === undefined) pull.state = "closed";
        else pull.headCommit = tip;
      }
    },
  };
  return state;
}
