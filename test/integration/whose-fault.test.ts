// Whose fault it is that something was not built: the Nix of this machine, in the ways in which it can end.
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createFaultBuilds, type FaultBuilds } from "../support/fault-builds.ts";
import { startNixDaemon, type NixDaemon } from "../support/nix-daemon.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import {
  addRemoteMachines,
  canHaveMachine,
  noRouteTo,
  type RemoteMachine,
} from "../support/remote-machines.ts";

const settings = { "max-jobs": "2" };

/** Of this machine's Nix, whether it opens the store itself or a daemon does. */
const ways = [
  ["ssh", "itself"],
  ["ssh-ng", "itself"],
  ["ssh-ng", "a daemon"],
] as const;

describe.each(ways)("a remote builder over %s, asked by %s", (scheme, by) => {
  let store: ThrowAwayStore;
  let machine: RemoteMachine;
  let daemon: NixDaemon | undefined;
  let builds: FaultBuilds;
  beforeAll(async () => {
    store = await createThrowAwayStore(settings);
    const remote = await addRemoteMachines(store, { names: ["arm1"], system: "aarch64-linux", scheme });
    machine = remote.machine("arm1");
    daemon = by === "itself" ? undefined : await startNixDaemon(store);
    const { directory } = store;
    const { environment } = daemon ?? store;
    builds = await createFaultBuilds({ directory, environment }, { lab: remote.lab });
  });
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await store.remove();
  });
  beforeEach(({ skip }) =>
    skip(!canHaveMachine, "only root may mount, which a second store behind a path needs"),
  );

  test("that does not answer fails nobody; who needs nothing of it is built at once", async () => {
    await machine.setMode("down");
    const { exitCode, verdicts, reasons, retries } = await builds.build("machine");
    const noVerdict = "infra-failed";
    expect(verdicts).toEqual({ web: "built", pi: noVerdict, pibad: noVerdict, mixed: noVerdict });
    // What ssh says beside a daemon's connection to a machine is only in the daemon's own log.
    const cause =
      by === "itself"
        ? noRouteTo("arm1")
        : "(?:cannot open connection to remote store 'ssh-ng://|failed to start SSH connection to 'arm1')";
    const prefix = `no answer from the remote builder ${scheme}://arm1: ${cause}`;
    expect(reasons["pi"]).toMatch(new RegExp(`nixos-system-pi: ${prefix}`));
    expect(reasons["mixed"]).toMatch(new RegExp(`nixos-system-firmware: ${prefix}`));
    expect(retries).toEqual({ pi: 1, pibad: 1, mixed: 1 });
    expect(exitCode).toBe(3);
  });

  test("that dies in the middle of a build fails nobody either", async () => {
    await machine.setMode("loses");
    const { verdicts, reasons, retries } = await builds.build("machine");
    expect(verdicts).toMatchObject({ web: "built", pi: "infra-failed" });
    expect(reasons["pi"]).toMatch(
      /^nixos-system-pi: its build on ssh(?:-ng)?:\/\/arm1 was lost: .*(?:end-of-file|disconnected)/,
    );
    expect(retries["pi"]).toBe(1);
  });

  test("that is lost fails nobody, though another builder says so", async () => {
    await machine.setMode("loses");
    const { verdicts, reasons } = await builds.build("accused");
    expect(verdicts).toEqual({ both: "infra-failed" });
    expect(reasons["both"]).toMatch(/^nixos-system-pi: its build on .* was lost/);
  });

  test("whose disk is full fails nobody", async () => {
    await machine.setMode("full");
    const { exitCode, verdicts, reasons } = await builds.build("fullMachine");
    expect(verdicts).toEqual({ fills: "infra-failed" });
    expect(reasons["fills"]).toContain(`the disk of ${scheme}://arm1 is full`);
    expect(exitCode).toBe(3);
  });

  test("that is well builds, and what fails there fails with its own exit code", async () => {
    await machine.setMode("well");
    const { exitCode, verdicts, reasons } = await builds.build("machine");
    expect(verdicts).toEqual({ web: "built", pi: "built", pibad: "build-failed", mixed: "built" });
    expect(reasons["pibad"]).toBe("nixos-system-pibad: builder failed with exit code 3");
    expect(exitCode).toBe(1);
  });

  test("judges as this machine does, and no builder excuses itself", async () => {
    await machine.setMode("well");
    const { verdicts, reasons } = await builds.build("wellMachine");
    const failed = "build-failed";
    expect(verdicts).toEqual({
      noout: failed,
      disallowed: failed,
      hash: failed,
      liar: failed,
      killed: "infra-failed",
    });
    expect(reasons).toMatchObject({
      noout: "nixos-system-noout: builder failed to produce the output 'out'",
      disallowed: expect.stringMatching(
        /is not allowed to refer to the following paths: nixos-system-dep$/,
      ) as unknown,
      hash: expect.stringContaining("hash mismatch") as unknown,
      liar: "nixos-system-liar: builder failed with exit code 4",
      killed: expect.stringContaining(`killed on ${scheme}://arm1, as for lack of memory`) as unknown,
    });
  });
});

const judgements = {
  maxsize: /is too large at \d+ bytes; limit is 1000 bytes$/,
  maxclosure: /closure of path .* is too large at \d+ bytes; limit is 100 bytes$/,
  requisites: /is not allowed to refer to the following paths: /,
  allowednone: /is not allowed to refer to the following paths: /,
  badspec: /nosuchoutput/,
  perms: /suspicious ownership or permission/,
  fifo: /has an unsupported type$/,
  cycle: /cycle detected/,
  twoouts: /failed to produce the output 'dev'/,
  flatdir: /should be a non-executable regular file/,
  flatlink: /should be a non-executable regular file/,
  fixedrefs: /must not reference store paths|hash mismatch/,
  graph: /odd number of tokens/,
  noexec: /exit code 1/,
};

describe("what Nix refuses", () => {
  test.each(["itself", "a daemon"])("is the failure of who made it, at once, asked by %s", async (by) => {
    await using store = await createThrowAwayStore(settings);
    await using daemon = by === "itself" ? undefined : await startNixDaemon(store);
    const { environment } = daemon ?? store;
    await using builds = await createFaultBuilds({ directory: store.directory, environment });
    const { exitCode, verdicts, reasons, retries, tails } = await builds.build("refused");
    const { good, ...others } = verdicts;
    expect(good).toBe("built");
    expect(Object.values(others)).toEqual(Object.values(others).map(() => "build-failed"));
    expect(retries).toEqual({});
    expect(reasons["disallowed"]).toBe(
      "nixos-system-disallowed: output 'nixos-system-disallowed' is not allowed to refer to the following paths: nixos-system-dep",
    );
    expect(tails["disallowed"]?.at(-1)).toMatch(/^\/.*-nixos-system-dep$/);
    for (const [host, words] of Object.entries(judgements)) expect(reasons[host]).toMatch(words);
    expect(exitCode).toBe(1);
  });
});

test("a download fails whom the server refuses, and nobody where it is away", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/away") return void request.socket.destroy();
    const status = { "/missing": 404, "/gone": 410, "/broken": 503 }[request.url ?? ""] ?? 200;
    return void response.writeHead(status).end("other\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using store = await createThrowAwayStore(settings);
  await using builds = await createFaultBuilds(store, { url });
  const { exitCode, verdicts, reasons } = await builds.build("downloads");
  server.closeAllConnections();
  server.close();
  const failed = "build-failed";
  expect(verdicts).toEqual({
    away: "infra-failed",
    broken: "infra-failed",
    curlbroken: "infra-failed",
    missing: failed,
    gone: failed,
    changed: failed,
    curlmissing: failed,
    pretends: failed,
  });
  expect(reasons["broken"]).toMatch(`source-broken: cannot download ${url}/broken: HTTP error 503`);
  expect(reasons["missing"]).toMatch(`source-missing: cannot download ${url}/missing: HTTP error 404`);
  expect(reasons["curlmissing"]).toContain(
    `cannot download ${url}/missing: The requested URL returned error: 404`,
  );
  expect(reasons["changed"]).toMatch(/hash mismatch: specified .*, got .* \(http:.*\/changed\)$/);
  expect(exitCode).toBe(1);
});
