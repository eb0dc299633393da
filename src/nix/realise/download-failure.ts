// Why a fixed-output derivation could not download. Only such a derivation has a network, so that only its log can
// excuse it; and it is excused only as what is retried.
import { isBug, messageOf } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { FailureCause } from "../realiser.ts";
import type { Derivation, Store } from "../store.ts";

export interface DownloadFailure {
  /** Server or network are to blame, and not what was asked for. */
  readonly isInfra: boolean;
  /** One line: `HTTP error 503`. */
  readonly reason: string;
  /** As the fetcher said it. */
  readonly url?: string;
}

const tailBytes = 64 * 1024;
/** The fetchers of nixpkgs say at the end what went wrong, for each mirror in a few lines. */
const tailLines = 60;

/** The cause again, with what its log says about a download, or with its URL. */
export async function explainDownload(
  cause: FailureCause,
  drvPath: StorePath,
  { fetches }: Derivation,
  { readLog }: Pick<Store, "readLog">,
  signal: AbortSignal,
): Promise<FailureCause> {
  if (fetches === undefined || cause.kind !== "failed") return cause;
  const [declared] = fetches;
  if (cause.exitCode === undefined) {
    const isHash = cause.reason.startsWith("hash mismatch") && declared !== undefined;
    return isHash ? { ...cause, reason: `${cause.reason} (${withoutCredentials(declared)})` } : cause;
  }
  let log: readonly string[];
  try {
    log = await lastLines(readLog, drvPath, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    // What is in it could excuse the derivation.
    return { ...cause, kind: "infra", reason: `${cause.reason}, and ${messageOf(error)}`.slice(0, 600) };
  }
  const failure = readDownloadFailure(log);
  if (failure === undefined) return cause;
  const url = failure.url ?? declared;
  const what = url === undefined ? "cannot download" : `cannot download ${withoutCredentials(url)}`;
  return {
    ...cause,
    kind: failure.isInfra ? "infra" : "failed",
    reason: `${what}: ${failure.reason}`.slice(0, 600),
  };
}

/**
 * What the end of a fetcher's log says. One mirror that does not answer is enough to try again: what the others
 * refused they refuse the next time, too. Where the last mirror gave the file, something else failed.
 */
export function readDownloadFailure(log: readonly string[]): DownloadFailure | undefined {
  let url: string | undefined;
  let hasFailed = true;
  const failures: DownloadFailure[] = [];
  for (const line of log.slice(-tailLines).map((said) => plainText(said).trim())) {
    const tried = /^trying (?<url>\w+:\/\/\S+)$/.exec(line)?.groups?.["url"];
    if (tried !== undefined) [url, hasFailed] = [tried, false];
    const failure = readLine(line);
    if (failure !== undefined) failures.push({ url, ...failure });
    if (failure !== undefined || /cannot download .* from any mirror$/.test(line)) hasFailed = true;
  }
  if (!hasFailed) return undefined;
  return failures.findLast(({ isInfra }) => isInfra) ?? failures.at(-1);
}

function readLine(line: string): DownloadFailure | undefined {
  // Nix's own fetcher: 2.8 "HTTP error 404 ('Not Found')", later "HTTP error 404"; or curl's words with its number.
  const own = /unable to download '(?<url>[^']*)': (?<why>.*)$/.exec(line)?.groups;
  if (own !== undefined) {
    const { url = "", why = "" } = own;
    return { url, reason: why.replace(/ \(''\)$/, ""), isInfra: isOwnInfra(why) };
  }
  const curl = /^curl: \((?<code>\d+)\) (?<why>.*)$/.exec(line)?.groups;
  if (curl !== undefined) {
    const { code, why = "" } = curl;
    const status = httpStatus(why);
    return {
      reason: why,
      isInfra: status === undefined ? networkCodes.has(Number(code)) : isTemporary(status),
    };
  }
  const git = /^(?:fatal|error): .*unable to access '(?<url>[^']*)': (?<why>.*)$/.exec(line)?.groups;
  if (git !== undefined) {
    const { url = "", why = "" } = git;
    const status = httpStatus(why);
    return { url, reason: why, isInfra: status === undefined || isTemporary(status) };
  }
  return networkWords.test(line) ? { reason: line.slice(0, 300), isInfra: true } : undefined;
}

function isOwnInfra(why: string): boolean {
  const status = httpStatus(why);
  // With a status of success it is the transfer that broke: "HTTP error 200 (curl error: Transferred a partial file)".
  if (status !== undefined && status >= 400) return isTemporary(status);
  const code = /\((?<code>\d+)\)/.exec(why)?.groups?.["code"];
  return code === undefined ? status !== undefined : networkCodes.has(Number(code));
}

/** "HTTP error 503", "The requested URL returned error: 503 Service Unavailable" */
function httpStatus(text: string): number | undefined {
  const status = /(?:HTTP error|returned error:|HTTP response code:?) *(?<status>\d{3})\b/i.exec(text)
    ?.groups?.["status"];
  return status === undefined ? undefined : Number(status);
}

/** The statuses of a proxy that wants a password, and of a server that is overloaded or broken. */
const isTemporary = (status: number): boolean => status >= 500 || [407, 408, 425, 429].includes(status);

/**
 * Curl's exit codes about names, connections, transfers and certificates (5, 6, 7, 16, 18, 28, 35, 51 to 56,
 * 58 to 60, 77, 83, 92, 95 to 97): `man curl`, "EXIT CODES".
 */
const networkCodes: ReadonlySet<number> = new Set([
  5, 6, 7, 16, 18, 28, 35, 51, 52, 53, 54, 55, 56, 58, 59, 60, 77, 83, 92, 95, 96, 97,
]);

/** What other programs that fetch (git, ssh, wget, Go, npm, Python, Cargo) say about a network. */
const networkWords =
  /could not resolve (?:host|proxy)|unable to resolve host|temporary failure in name resolution|name or service not known|no such host|server misbehaving|no route to host|network is unreachable|connection (?:refused|timed out|reset by peer|was reset)|(?:i\/o|handshake) timeout|operation timed out|failed to connect to|\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b|rpc failed; curl|the remote end hung up unexpectedly|max retries exceeded|(?:error|status(?: code)?):? 50[0234]\b/i;

const withoutCredentials = (url: string): string => url.replace(/\/\/[^/@\s]*@/, "//");

/** The end of the log in the store; none where there is none. */
export async function lastLines(
  readLog: Store["readLog"],
  drvPath: StorePath,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const decoder = new TextDecoder();
  let end = "";
  await readLog(
    drvPath,
    (chunk) => {
      end = (end + decoder.decode(chunk, { stream: true })).slice(-tailBytes);
    },
    signal,
  );
  return end.split("\n");
}
