// Doctor as people run it, in a home lab that is in order and in one where much is planted that is not.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import * as v from "valibot";
import { test } from "../support/homelab.ts";
import type { CommandResult, Homelab } from "../support/start-homelab.ts";
import type { TestUser } from "../support/start-roles-server.ts";

const Findings = v.object({
  sound: v.boolean(),
  findings: v.array(
    v.object({
      check: v.string(),
      state: v.picklist(["ok", "warning", "wrong", "unknown"]),
      message: v.string(),
      hint: v.optional(v.string()),
    }),
  ),
});

interface Examined extends CommandResult {
  readonly report: v.InferOutput<typeof Findings>;
  /** The checks that are in a state. */
  in(state: string): readonly string[];
}

async function doctor(
  homelab: Homelab,
  config: object,
  { user = "operator", environment = {} }: { user?: TestUser; environment?: Record<string, string> } = {},
): Promise<Examined> {
  const file = join(homelab.directory, `doctor-${user}.json`);
  const nats = { servers: [homelab.server.url], ...homelab.server.settingsOf(user) };
  await writeFile(file, JSON.stringify({ nats, ...config }));
  const result = await homelab.run(["--config", file, "doctor", "--json"], { user, environment });
  const report = v.parse(Findings, JSON.parse(result.stdout));
  for (const { state, hint } of report.findings)
    expect(hint === undefined || hint === "").toBe(state === "ok");
  const among = (state: string): readonly string[] =>
    report.findings.filter((each) => each.state === state).map(({ check }) => check);
  return { ...result, report, in: among };
}

test("someone who only asks needs a server, streams and a builder", async ({ homelab }) => {
  const alone = await doctor(homelab, {});
  expect(alone.exitCode).toBe(1);
  expect(alone.in("wrong")).toEqual(["builders"]);

  await homelab.startBuilder();
  const together = await doctor(homelab, {});
  expect(together.report.sound).toBe(true);
  expect(together.exitCode).toBe(0);
  expect(together.in("ok")).toContain("builder b1");
  expect(together.in("ok")).toEqual(expect.arrayContaining(["NATS rights", "NATS limits"]));
  // Nothing was asked for by looking.
  expect((await homelab.run(["builds", "list", "--json"])).stdout).not.toContain("any");
});

test.for<[TestUser, readonly string[]]>([
  ["builder2", []],
  ["dashboard", []],
  ["ci", []],
  ["admin", []],
  ["listener", ["NATS rights"]],
])("a key of the role %s is judged by what that role needs", async ([user, expected], { homelab }) => {
  const { report } = await doctor(homelab, {}, { user });
  const rights = report.findings.filter(({ check, state }) => check === "NATS rights" && state === "wrong");
  expect(rights.length > 0).toBe(expected.length > 0);
  const limits = report.findings.find(({ check }) => check === "NATS limits")?.state;
  const seen = new Map<TestUser, string>([
    ["builder2", "ok"],
    ["admin", "ok"],
    ["listener", "wrong"],
  ]);
  expect(limits).toBe(seen.get(user) ?? "unknown");
});

test("what is planted is found, each with what to do", async ({ homelab }) => {
  await using impostor = await serveWebPage();
  await homelab.fleet.commit({ hosts: 1 });
  const at = (name: string): string => join(homelab.directory, name);
  await writeFile(at("readable-token"), "token");
  await chmod(at("readable-token"), 0o644);
  await writeFile(at("empty-token"), "");
  await writeFile(at("cache-key"), "not a key");
  await chmod(at("cache-key"), 0o600);
  await mkdir(at("nix"));
  await writeFile(
    at("nix/nix.conf"),
    `experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters =
accept-flake-config = true
allowed-users = *
auto-optimise-store = true
keep-outputs = true
min-free = 1000000
require-sigs = false
trusted-users = root alice
`,
  );
  const forge = { url: impostor.url, owner: "o", repository: "r", tokenFile: at("readable-token") };
  const environment = { NIX_CONF_DIR: at("nix") };
  const config = {
    repos: {
      good: { url: homelab.fleet.url, branch: "main" },
      branch: { url: homelab.fleet.url, branch: "mian" },
      gone: { url: `file://${homelab.directory}/nothing.git` },
      token: { url: "https://127.0.0.1:1/r.git", credentials: { tokenFile: at("empty-token") } },
      missing: { url: "https://127.0.0.1:1/r.git", credentials: { tokenFile: at("no-token") } },
      forge: { url: homelab.fleet.url, branch: "main", update: { forge } },
    },
    builder: { stateDirectory: at("cache-key/state") },
    cache: { url: impostor.url, publicKeys: [], secretKeyFile: at("cache-key") },
  };
  const { exitCode, stdout, ...examined } = await doctor(homelab, config, { environment });
  expect(exitCode).toBe(1);
  expect(examined.in("wrong").toSorted()).toEqual(
    [
      "cache",
      "cache secret key",
      "forge of forge",
      "nix.conf accept-flake-config",
      "nix.conf require-sigs",
      "nix.conf sandbox",
      "clock",
      "repo branch",
      "repo gone",
      "secret repos.missing.credentials.tokenFile",
      "secret repos.token.credentials.tokenFile",
      "state directory",
    ].toSorted(),
  );
  expect(examined.in("warning")).toEqual(
    expect.arrayContaining([
      "cache keys",
      "nix.conf allowed-users",
      "nix.conf auto-optimise-store",
      "nix.conf keep-outputs",
      "nix.conf min-free",
      "nix.conf trusted-users",
      "secret repos.forge.update.forge.tokenFile",
    ]),
  );
  // What this server keeps on its disk nobody here can see; one of 2.9 has it not.
  const durability = examined.report.findings.find(({ check }) => check === "NATS durability")?.state;
  expect(examined.in("unknown")).toEqual(durability === "unknown" ? ["NATS durability"] : []);
  expect(examined.in("ok")).toContain("repo good");
  expect(stdout).not.toContain("not a key");
});

test("a server that is away and a configuration that is none are wrong", async ({ homelab }) => {
  const away = await doctor(homelab, { nats: { servers: ["nats://127.0.0.1:1"] } });
  expect(away.exitCode).toBe(1);
  expect(away.in("wrong")).toEqual(["NATS server"]);
  const none = await doctor(homelab, { repos: { "Not A Name": {} } });
  expect(none.in("wrong")).toEqual(["configuration"]);
});

/** Neither a cache nor a forge, and of another year. */
async function serveWebPage(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_, response) => {
    response.setHeader("date", "Thu, 01 Jan 2015 00:00:00 GMT").end("<html>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
