import { expect, test } from "vitest";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { createAskSubstituter, shownUrl, withoutSecrets } from "./ask-substituter.ts";

const signal = new AbortController().signal;
const good: ExecResult = { exitCode: 0, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "" };
const refused = (stderrTail: string): ExecResult => ({ ...good, exitCode: 1, stderrTail });

/** Nix that gives these results, one a call. */
function scripted(results: readonly ExecResult[], opensStoreItself = true) {
  const calls: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }[] = [];
  const left = [...results];
  const exec: Exec = async (file, args, { env }) => {
    calls.push({ args: [file, ...args], env });
    return left.shift() ?? good;
  };
  const environment = { PATH: "/bin", XDG_CACHE_HOME: "/ours" };
  const ask = createAskSubstituter({ exec, environment, storeDirectory: "/nix/store", opensStoreItself });
  return { calls, ask: async (url: string) => ask(url, signal) };
}

test("opens the substituter, and then looks for a path that nobody has, with an empty cache of Nix's", async () => {
  const { ask, calls } = scripted([good, good]);
  expect(await ask("https://cache?priority=3")).toBeUndefined();
  expect(calls.map(({ args }) => args.slice(args.indexOf("3") + 1))).toEqual([
    ["store", "ping", "--store", "https://cache?priority=3"],
    [
      "--option",
      "substituters",
      "https://cache?priority=3",
      "--realise",
      "--dry-run",
      "--",
      expect.stringMatching(/^\/nix\/store\/[0-9a-df-np-sv-z]{32}-/) as string,
    ],
  ]);
  const homes = calls.map(({ env }) => env["XDG_CACHE_HOME"]);
  expect(new Set(homes).size).toBe(1);
  expect(homes).not.toContain("/ours");
});

test("uses the name of newer versions where the old one is gone", async () => {
  const { ask, calls } = scripted([refused("error: 'ping' is not a recognised command"), good, good]);
  expect(await ask("https://cache")).toBeUndefined();
  expect(calls[1]?.args).toContain("info");
});

test.each([
  [
    "warning: error: unable to download 'http://c/nix-cache-info': HTTP error 503; retrying in 301 ms\nerror: unable to download 'http://c/nix-cache-info': HTTP error 503\n\n       response body:\n\n       no",
    "unable to download 'http://c/nix-cache-info': HTTP error 503",
  ],
  [
    "error: 'http://c' does not appear to be a binary cache",
    "'http://c' does not appear to be a binary cache",
  ],
  [
    "ssh: Could not resolve hostname c: Name or service not known\nerror: failed to start SSH connection to 'c'",
    "ssh: Could not resolve hostname c: Name or service not known",
  ],
  ["", "Nix ended with exit code 1"],
])("gives the reason in one line: %j", async (stderr, reason) => {
  expect(await scripted([refused(stderr)]).ask("http://c")).toBe(reason);
  expect(await scripted([good, refused(stderr)]).ask("http://c")).toBe(reason);
});

test("says when there is no answer, and when Nix waits because it was asked to", async () => {
  const timedOut = { ...refused(""), timedOut: true };
  expect(await scripted([timedOut]).ask("http://c")).toBe("no answer in 20 seconds");
  const stderrTail =
    "warning: unable to download 'http://c/nix-cache-info': HTTP error 429; retrying in 60000 ms";
  expect(await scripted([{ ...timedOut, stderrTail }]).ask("http://c")).toBe(
    "no answer in 20 seconds: unable to download 'http://c/nix-cache-info': HTTP error 429",
  );
});

test("a daemon is asked itself, and what it only warns of counts", async () => {
  const unknown = "don't know how to build these paths:\n  /nix/store/x";
  const warned = (text: string) => scripted([{ ...good, stderrTail: `${text}\n${unknown}` }], false);
  const { ask, calls } = warned("warning: unable to download 'http://c/nix-cache-info': HTTP error 401");
  expect(await ask("http://c")).toBe("unable to download 'http://c/nix-cache-info': HTTP error 401");
  expect(calls.map(({ args }) => args[0])).toEqual(["nix-store"]);
  const retried = "warning: unable to download 'http://c/x.narinfo': HTTP error 503; retrying in 301 ms";
  expect(await warned(retried).ask("http://c")).toBeUndefined();
  const other = "warning: ignoring the client-specified setting 'connect-timeout'";
  expect(await warned(other).ask("http://c")).toBeUndefined();
});

test("never shows a password", () => {
  const url = "http://user:secret@c/x?token=secret";
  expect(shownUrl(url)).toBe("http://c/x");
  expect(withoutSecrets(`unable to download '${url}' or 'http://user:secret@c/x/nix-cache-info'`, url)).toBe(
    "unable to download 'http://c/x' or 'http://c/x/nix-cache-info'",
  );
});
