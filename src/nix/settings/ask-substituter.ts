// One question to one substituter, asked by Nix itself: its proxy, certificate authorities, netrc and ssh are those
// that a build would use. A client of our own would judge another way to the cache than the one that builds take.
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainText } from "../../base/terminal-text.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { featureFlags } from "../nix-command.ts";
import type { Environment } from "../nix-environment.ts";

/** Why a build cannot use the substituter now, in one line; undefined when it can. */
export type AskSubstituter = (url: string, signal: AbortSignal) => Promise<string | undefined>;

export interface AskSubstituterOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly storeDirectory: string;
  /** Otherwise the Nix daemon fetches, with its own environment and netrc. */
  readonly opensStoreItself: boolean;
}

/** Nix 2.34 waits 60 seconds after an HTTP 429; a cache that accepts and never answers, for 300. */
const deadlineMs = 20_000;
/** Nix's own tries, for one 503 or one connection that is lost: over before the deadline, so that Nix says why. */
const limits = ["--option", "connect-timeout", "5", "--option", "download-attempts", "3"] as const;

/**
 * Opens the substituter as a store (`nix-cache-info`, or a connection of ssh), and then has Nix look there for a path
 * that nobody has: of a cache whose narinfos are errors, Nix 2.8 hangs or crashes.
 */
export function createAskSubstituter({
  exec,
  environment,
  storeDirectory,
  opensStoreItself,
}: AskSubstituterOptions): AskSubstituter {
  return async (url, signal) => {
    // Nix remembers what caches say about themselves for seven days (binary-cache-v6.sqlite in XDG_CACHE_HOME).
    const cacheHome = await mkdtemp(join(tmpdir(), "homelab-deploy-substituter-"));
    const run = async (file: "nix" | "nix-store", ...args: string[]): Promise<ExecResult> =>
      exec(file, args, {
        env: { ...environment, XDG_CACHE_HOME: cacheHome },
        cwd: "/",
        signal,
        timeoutMs: deadlineMs,
      });
    const ping = async (name: "ping" | "info"): Promise<ExecResult> =>
      run("nix", ...featureFlags, ...limits, "store", name, "--store", url);

    const open = async (): Promise<string | undefined> => {
      const first = await ping("ping");
      // An alias of `info` since 2.20; older versions and forks have only `ping`.
      const result = /not a recogni[sz]ed command/.test(first.stderrTail) ? await ping("info") : first;
      return result.exitCode === 0 ? undefined : reasonOf(result, url);
    };
    const lookUp = async (): Promise<string | undefined> => {
      const path = `${storeDirectory}/${randomHash()}-homelab-deploy-asks`;
      const substituters = ["--option", "substituters", url] as const;
      const result = await run("nix-store", ...limits, ...substituters, "--realise", "--dry-run", "--", path);
      if (result.exitCode !== 0) return reasonOf(result, url);
      // A daemon that cannot open the substituter only prints a warning, and leaves it out.
      return opensStoreItself ? undefined : daemonComplaint(result, url);
    };
    try {
      // What this process reaches is not what a daemon reaches.
      const closed = opensStoreItself ? await open() : undefined;
      return closed ?? (await lookUp());
    } finally {
      await rm(cacheHome, { recursive: true, force: true });
    }
  };
}

/** The characters of Nix's base 32. */
const digits = "0123456789abcdfghijklmnpqrsvwxyz";
const randomHash = (): string => Array.from({ length: 32 }, () => digits[randomInt(32)]).join("");

function reasonOf({ timedOut, stderrTail, exitCode, killedBy }: ExecResult, url: string): string {
  const said = linesOf(stderrTail);
  const limited = said.findLast((line) => line.includes("HTTP error 429"));
  if (timedOut) {
    const because = limited === undefined ? "" : `: ${withoutPrefix(limited)}`;
    return withoutSecrets(`no answer in ${deadlineMs / 1000} seconds${because}`, url);
  }
  // ssh says why it cannot connect, and Nix then only that it could not.
  const line =
    said.findLast((each) => each.startsWith("ssh: ")) ??
    said.findLast((each) => each.startsWith("error:")) ??
    said.at(-1) ??
    `Nix ended with ${killedBy ?? `exit code ${exitCode}`}`;
  return withoutSecrets(withoutPrefix(line), url);
}

function daemonComplaint({ stderrTail }: ExecResult, url: string): string | undefined {
  const host = URL.parse(url)?.host ?? "";
  const bare = host === "" ? url : `//${host}`;
  const complaint = linesOf(stderrTail).findLast(
    (line) =>
      /^(?:warning|error):/.test(line) &&
      line.toLowerCase().includes(bare.toLowerCase()) &&
      !/; retrying in \d/.test(line),
  );
  return complaint === undefined ? undefined : withoutSecrets(withoutPrefix(complaint), url);
}

const linesOf = (text: string): readonly string[] =>
  plainText(text)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const withoutPrefix = (line: string): string =>
  line.replace(/^(?:(?:warning|error): )+/, "").replace(/; retrying in .*$/, "");

/** Nix shows the URL as it is configured, and a password can be in it. */
export function withoutSecrets(text: string, url: string): string {
  return text.replaceAll(url, shownUrl(url)).replaceAll(/\/\/[^\s/@']*@/g, "//");
}

/** Without user, password and parameters. */
export function shownUrl(substituter: string): string {
  const url = URL.parse(substituter);
  if (url === null)
    return substituter.startsWith("/") ? substituter : "a substituter whose URL cannot be read";
  if (url.username === "" && url.password === "" && url.search === "") return substituter;
  url.username = "";
  url.password = "";
  url.search = "";
  return url.href;
}
