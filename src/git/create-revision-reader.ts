import { HomelabError } from "../base/errors.ts";
import { plainText } from "../base/terminal-text.ts";
import type { Exec } from "../process/exec.ts";
import { parseCommit } from "../protocol/names.ts";
import { createGitCommand, type GitCommand } from "./git-command.ts";
import { timeOfCommit } from "./commit-time.ts";
import type { CommitRelation, Revision, RevisionRange, RevisionReader, RevisionsFound } from "./git.ts";
import { gitWords, remoteError } from "./remote-error.ts";
import { secretsOf, type GitCredentials } from "./sign-in-programs.ts";

export interface RevisionReaderOptions {
  readonly exec: Exec;
  /** `https://…`, `ssh://…` or `file:///…` */
  readonly url: string;
  /** Absolute path of a bare repository that is there only for one call; `<directory>.home` beside it stays. */
  readonly directory: string;
  readonly credentials?: GitCredentials;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A year of nixpkgs has about half as many. */
const mostRevisions = 100_000;
/** A week of nixpkgs without its files is about 10 MB. */
const maxFetchBytes = 512 * 1024 * 1024;
const fetchTimeoutMs = 300_000;
const localTimeoutMs = 60_000;
const subjectLength = 200;

const [fromRef, toRef] = ["refs/homelab-deploy/from", "refs/homelab-deploy/to"];

/**
 * Fetches commits only, and only those since a time, into a repository of its own: so the history of a large
 * repository costs little. A server that cannot leave out files sends them too, as far as the limit of size allows.
 *
 * @throws HomelabError `config` with code `BAD_CONFIG` for a URL or path that git cannot use.
 */
export function createRevisionReader({
  exec,
  url,
  directory,
  credentials = {},
  environment,
}: RevisionReaderOptions): RevisionReader {
  const git = createGitCommand({ exec, url, directory, credentials, environment });

  async function fetchRange({ from, to, since }: RevisionRange, signal: AbortSignal): Promise<void> {
    const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    const seconds = Math.floor(since.getTime() / 1000);
    const bounds = ["--filter=tree:0", `--shallow-since=${seconds}`];
    const refs = [`${from}:${fromRef}`, `${to}:${toRef}`];
    const limits = { signal, timeoutMs: fetchTimeoutMs, maxFileBytes: maxFetchBytes };
    const result = await git.write(["fetch", ...options, ...bounds, "--", url, ...refs], limits);
    if (result.exitCode === 0) return;
    const secrets = await secretsOf(credentials);
    throw remoteError({ url, result, timeoutMs: fetchTimeoutMs, secrets });
  }

  async function withRange<Answer>(
    range: RevisionRange,
    read: () => Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Answer | Unreachable> {
    const local = { signal, timeoutMs: localTimeoutMs };
    try {
      await git.prepare();
      // What a killed call left behind.
      await git.remove([directory], local);
      const created = await git.write(["init", "--bare", "--quiet", "--template=", "--", directory], local);
      if (created.exitCode !== 0) return unreachable(gitWords(created.stderrTail));
      await fetchRange(range, signal);
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError)) throw error;
      return unreachable(error.message);
    } finally {
      const until = { signal: AbortSignal.timeout(localTimeoutMs), timeoutMs: localTimeoutMs };
      await git.remove([directory], until).catch(() => undefined);
    }
  }

  return {
    between: async (range, signal) =>
      withRange<RevisionsFound>(range, async () => listRevisions(git, range, signal), signal),
    relation: async (range, signal) =>
      withRange<CommitRelation>(range, async () => relationOf(git, range, signal), signal),
  };
}

async function relationOf(
  git: GitCommand,
  { from, to }: RevisionRange,
  signal: AbortSignal,
): Promise<CommitRelation> {
  const options = { signal, timeoutMs: localTimeoutMs };
  const says = async (...args: readonly string[]): Promise<boolean> =>
    (await git.read(["merge-base", ...args], options)).exitCode === 0;
  if (await says("--is-ancestor", from, to)) return { type: "forward" };
  if (await says("--is-ancestor", to, from)) return { type: "back" };
  // Without one it can be further back than what was fetched.
  if (await says(from, to)) return { type: "apart" };
  return unreachable("its old and its new revision do not meet in the history that was read");
}

async function listRevisions(
  git: GitCommand,
  { from, to }: RevisionRange,
  signal: AbortSignal,
): Promise<RevisionsFound> {
  const options = { signal, timeoutMs: localTimeoutMs };
  const ancestry = await git.read(["merge-base", "--is-ancestor", from, to], options);
  if (ancestry.exitCode !== 0) return unreachable("the new revision is not known to stand on the old one");
  const format = "--format=%H%x09%P%x09%ct%x09%s";
  const log = ["log", "--first-parent", "--reverse", format, "--end-of-options", `${from}..${to}`, "--"];
  const { exitCode, stdout, stderrTail } = await git.read(log, options);
  if (exitCode !== 0) return unreachable(gitWords(stderrTail));
  const lines = stdout.split("\n").filter((line) => line !== "");
  if (lines.length > mostRevisions) return unreachable(`it has more than ${mostRevisions} revisions`);
  const before = lines[0]?.split("\t")[1]?.split(" ")[0] ?? "";
  // Commits are missing in between: somebody's clock was wrong, and they count as too old.
  if (before === "") return unreachable("its revisions could not be followed back to the old one");
  return { type: "found", before: parseCommit(before), revisions: lines.map(parseRevision) };
}

function parseRevision(line: string): Revision {
  const [rev = "", , seconds = "0", ...subject] = line.split("\t");
  return {
    rev: parseCommit(rev),
    committedAt: timeOfCommit(seconds),
    subject: plainText(subject.join(" ")).slice(0, subjectLength).toWellFormed(),
  };
}

type Unreachable = Extract<RevisionsFound, { type: "unreachable" }>;

const unreachable = (reason: string): Unreachable => ({ type: "unreachable", reason });
