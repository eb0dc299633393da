import { expect, test } from "vitest";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { readNixNetworkSettings } from "./network-settings.ts";

const signal = new AbortController().signal;
const printed = (stdout: string, exitCode = 0): ExecResult => ({
  exitCode,
  killedBy: undefined,
  timedOut: false,
  stdout,
  stderrTail: "",
});
const read = async (exec: Exec, environment = {}) => readNixNetworkSettings(exec, environment, signal);

test("takes what Nix says, with the older name of the command or the newer one", async () => {
  const json = JSON.stringify({
    "netrc-file": { value: "/secrets/netrc" },
    "ssl-cert-file": { value: "/ca.pem" },
    other: { value: 1 },
  });
  const settings = { netrcFile: "/secrets/netrc", sslCertFile: "/ca.pem" };
  expect(await read(async () => printed(json))).toEqual(settings);
  const newer: Exec = async (_, args) => (args.includes("show-config") ? printed("", 1) : printed(json));
  expect(await read(newer)).toEqual(settings);
});

test("takes Nix's defaults where Nix is not there, or says nothing", async () => {
  const away: Exec = async () => Promise.reject(new Error("not there"));
  expect(await read(away)).toEqual({ netrcFile: "/etc/nix/netrc" });
  expect(await read(away, { NIX_CONF_DIR: "/conf" })).toEqual({ netrcFile: "/conf/netrc" });
  expect(await read(async () => printed("no JSON"))).toEqual({ netrcFile: "/etc/nix/netrc" });
  expect(await read(async () => printed('{"ssl-cert-file":{"value":null}}'))).toEqual({
    netrcFile: "/etc/nix/netrc",
  });
});
