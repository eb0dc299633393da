import { describe, expect, test } from "vitest";
import type { StorePath } from "../../protocol/names.ts";
import { HomelabError } from "../../base/errors.ts";
import { explainDownload, readDownloadFailure } from "./download-failure.ts";
import type { FailureCause } from "../realiser.ts";

const url = "http://127.0.0.1:8471/x.tar.gz";

describe("Nix's own fetcher", () => {
  // 2.8, 2.26 and 2.34 with curl 7.88 to 8.20.
  test.each([
    ["Couldn't resolve host name (6)", true],
    ["Could not resolve hostname (6) Could not resolve host: nosuchhost.invalid", true],
    ["Couldn't connect to server (7)", true],
    ["Timeout was reached (28)", true],
    ["SSL peer certificate or SSH remote key was not OK (60)", true],
    ["HTTP error 503 ('Service Unavailable')", true],
    ["HTTP error 503", true],
    ["HTTP error 429 ('')", true],
    ["HTTP error 200 ('OK') (curl error: Transferred a partial file)", true],
    ["HTTP error 200 (curl error: Transferred a partial file)", true],
    ["HTTP error 404 ('Not Found')", false],
    ["HTTP error 404", false],
    ["HTTP error 410", false],
    ["HTTP error 403", false],
    ["URL using bad/illegal format or missing URL (3)", false],
  ])("%s", (why, isInfra) => {
    const said = readDownloadFailure([
      "error:",
      `       … writing file '/nix/store/x'`,
      "",
      `       \u001b[31;1merror:\u001b[0m unable to download '\u001b[35;1m${url}\u001b[0m': ${why}`,
      "",
      "       response body:",
      "       nope",
    ]);
    expect(said).toMatchObject({ isInfra, url });
  });
});

test("where the last mirror gave the file, something else failed", () => {
  const log = [
    "trying http://away.lan/x.tar.gz",
    "curl: (6) Could not resolve host: away.lan",
    "trying http://well.lan/x.tar.gz",
    "100  1024  100  1024    0     0   9999      0 --:--:-- --:--:-- --:--:--  9999",
  ];
  expect(readDownloadFailure([...log, "tar: This does not look like a tar archive"])).toBeUndefined();
  expect(readDownloadFailure([...log, "curl: (56) Recv failure"])).toMatchObject({ isInfra: true });
});

describe("the fetchers of nixpkgs", () => {
  const mirrors = (...said: readonly string[]): string[] => [
    ...said.flatMap((line, index) => [
      `trying https://mirror${index}.lan/x.tar.gz`,
      "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current",
      line,
    ]),
    "error: cannot download x.tar.gz from any mirror",
  ];
  const notFound = "curl: (22) The requested URL returned error: 404";

  test.each([
    ["curl: (6) Could not resolve host: example.invalid", true],
    ["curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server", true],
    ["curl: (28) Operation timed out after 300000 milliseconds with 0 bytes received", true],
    ["curl: (35) OpenSSL SSL_connect: Connection reset by peer in connection to example.org:443", true],
    ["curl: (22) The requested URL returned error: 502 Bad Gateway", true],
    [notFound, false],
    ["curl: (22) The requested URL returned error: 410 Gone", false],
    ["curl: (3) URL using bad/illegal format or missing URL", false],
  ])("%s", (said, isInfra) => {
    expect(readDownloadFailure(mirrors(notFound, said))).toMatchObject({
      isInfra,
      url: "https://mirror1.lan/x.tar.gz",
    });
  });

  test("one mirror that does not answer is enough to try again", () => {
    const said = mirrors("curl: (6) Could not resolve host: mirror0.lan", notFound);
    expect(readDownloadFailure(said)).toMatchObject({ isInfra: true, url: "https://mirror0.lan/x.tar.gz" });
  });

  test.each([
    ["fatal: unable to access 'https://git.lan/x.git/': Could not resolve host: git.lan", true],
    ["fatal: unable to access 'https://git.lan/x.git/': The requested URL returned error: 503", true],
    ["fatal: unable to access 'https://git.lan/x.git/': The requested URL returned error: 404", false],
    ["ssh: connect to host git.lan port 22: No route to host", true],
    [
      'go: example.org/m@v1.0.0: Get "https://proxy.golang.org/x": dial tcp: lookup proxy.golang.org: no such host',
      true,
    ],
    ["npm error code EAI_AGAIN", true],
    ["wget: unable to resolve host address 'example.org'", true],
    ["cargo: error: spurious network error: [28] Timeout was reached (Operation timed out)", true],
  ])("%s", (line, isInfra) => {
    expect(readDownloadFailure(["Cloning", line])).toMatchObject({ isInfra });
  });
});

test("a fetcher that fails otherwise says nothing of a download", () => {
  expect(readDownloadFailure(["unpacking source archive", "tar: invalid magic", "exit 2"])).toBeUndefined();
  // What was long before the end is not why it ended.
  const early = [
    "curl: (6) Could not resolve host: a.lan",
    ...Array.from({ length: 100 }, () => "compiling"),
  ];
  expect(readDownloadFailure(early)).toBeUndefined();
});

describe("a cause", () => {
  const drvPath = `/nix/store/${"a".repeat(32)}-x.drv` as StorePath;
  const never = new AbortController().signal;
  const exited: FailureCause = {
    kind: "failed",
    name: "x",
    reason: "builder failed with exit code 1",
    exitCode: 1,
  };
  const sources = (log: string) => ({
    readLog: async (_: StorePath, give: (chunk: Uint8Array) => void | Promise<void>) =>
      give(new TextEncoder().encode(log)),
  });
  const derivation = (fetches?: readonly string[]) => ({
    outputs: new Map(),
    inputDrvs: new Map(),
    system: "builtin",
    fetches,
  });
  const away = "curl: (6) Could not resolve host: example.invalid\n";

  test("is excused by the network only where a network is allowed", async () => {
    const explained = await explainDownload(
      exited,
      drvPath,
      derivation(["https://u:p@h/x"]),
      sources(away),
      never,
    );
    expect(explained).toMatchObject({
      kind: "infra",
      reason: "cannot download https://h/x: Could not resolve host: example.invalid",
    });
    expect(await explainDownload(exited, drvPath, derivation(), sources(away), never)).toBe(exited);
  });

  test("names what does not exist", async () => {
    const log = "error: unable to download 'https://h/x': HTTP error 404\n";
    expect(await explainDownload(exited, drvPath, derivation([]), sources(log), never)).toMatchObject({
      kind: "failed",
      reason: "cannot download https://h/x: HTTP error 404",
    });
  });

  test("of a wrong hash stays one, whatever the log says, with the URL", async () => {
    const wrong: FailureCause = { kind: "failed", name: "x", reason: "hash mismatch: specified a, got b" };
    expect(await explainDownload(wrong, drvPath, derivation(["https://h/x"]), sources(away), never)).toEqual({
      ...wrong,
      reason: "hash mismatch: specified a, got b (https://h/x)",
    });
  });

  test("stays as it is without a log", async () => {
    const readLog = async (): Promise<void> => undefined;
    expect(await explainDownload(exited, drvPath, derivation([]), { readLog }, never)).toBe(exited);
  });

  test("accuses nobody while the log cannot be read", async () => {
    const failing = (fault: Error) => ({ readLog: async (): Promise<void> => Promise.reject(fault) });
    const explain = async (fault: Error) =>
      explainDownload(exited, drvPath, derivation([]), failing(fault), never);
    expect(await explain(new HomelabError("unavailable", "the log cannot be read"))).toMatchObject({
      kind: "infra",
      reason: expect.stringContaining("the log cannot be read") as string,
    });
    await expect(explain(new TypeError("a bug"))).rejects.toThrow("a bug");
  });
});
