// What `init` writes for machines, held to those who read it: the program's own schema, nats-server, systemd, and the NixOS
// modules.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { expect, test as base } from "vitest";
import { publicKeyOf } from "../../src/bus/server/keys.ts";
import { parseConfig } from "../../src/config/load.ts";
import { decodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { runInit } from "../support/installation.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import {
  checkedText,
  evaluateModules,
  natsConfigurationOf,
  nixpkgsLibs,
  whyWithoutLib,
} from "../support/nixos-modules.ts";
import { whyWithoutSystemd } from "../support/systemd-unit.ts";

const root = join(import.meta.dirname, "../..");
const everything =
  "--repo nixos-servers=https://git.lan/infra/nixos-servers.git --branch main --yes --cache http://cache01.lan:5000"
    .split(" ")
    .concat(
      "--cache-key",
      `cache01.lan-1:${"A".repeat(43)}=`,
      "--builder cache01 --operator kai --operator ana --ci gitea --updater timer --dashboard cache01".split(
        " ",
      ),
      "--host nixos-servers/web01 --host nixos-servers/db1.lan".split(" "),
    );

const test = base
  .extend("scratch", async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-init-"));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    return directory;
  })
  .extend("write", ({ scratch }) => async (...args: readonly string[]) => {
    const directory = join(scratch, "homelab");
    const environment = { PATH: process.env["PATH"] ?? "", HOME: scratch };
    const written = await runInit(environment, ...everything, ...args, directory);
    expect(written.stderr).toBe("");
    expect(written.exitCode).toBe(0);
    return directory;
  });

const nothingElse = { timeout: 60_000, encoding: "utf8" } as const;

test("every configuration is valid without a warning, and nats-server takes its own", async ({
  write,
  scratch,
}) => {
  const directory = await write("--program", "/opt/homelab-deploy/bin/homelab-deploy");
  const configs = globSync("*/config.json", { cwd: directory });
  expect(configs.map((file) => dirname(file)).toSorted()).toEqual([
    "admin",
    "builder-cache01",
    "ci-gitea",
    "dashboard-cache01",
    "operator-ana",
    "operator-kai",
    "updater-timer",
  ]);
  for (const file of configs) {
    const role = file.startsWith("builder") ? "builder" : "client";
    const { config, warnings } = parseConfig(readFileSync(join(directory, file), "utf8"), file, role);
    expect(warnings, file).toEqual([]);
    expect(config.nats.inboxPrefix).toBe(`_INBOX_${dirname(file)}`);
  }
  const conf = readFileSync(join(directory, "nats/nats-server.conf"), "utf8");
  for (const user of [
    "host-nixos-servers_web01",
    "host-nixos-servers_db1_lan",
    "updater-timer",
    "operator-ana",
  ])
    expect(conf).toContain(`_INBOX_${user}.>`);
  const binary = process.env["NATS_SERVER_BIN"] ?? "nats-server";
  // It looks whether its store can be made.
  const own = join(scratch, "nats-server.conf");
  writeFileSync(own, conf.replace("/var/lib/homelab-deploy-nats", scratch));
  const checked = spawnSync(binary, ["-t", "-c", own], nothingElse);
  expect(checked.status, checked.stderr).toBe(0);
});

test("the units are confined as the NixOS modules confine them, and systemd finds nothing wrong", async ({
  write,
  skip,
}) => {
  const directory = await write("--program", "/bin/true");
  const store = await createThrowAwayStore();
  try {
    const text = await store.run(
      "nix-instantiate",
      "--eval",
      "--strict",
      "--json",
      join(root, "nix/modules/units.nix"),
    );
    const modules = JSON.parse(text) as Record<string, Record<string, unknown>>;
    const pairs = [
      ["builder-cache01/homelab-deploy-builder.service", "homelab-deploy-builder"],
      ["updater-timer/homelab-deploy-update-nixos-servers.service", "homelab-deploy-update"],
      ["dashboard-cache01/homelab-deploy-dashboard.service", "homelab-deploy-dashboard"],
    ] as const;
    for (const [file, unit] of pairs) {
      const written = sectionOf(readFileSync(join(directory, file), "utf8"), "Service");
      const expected = new Map(
        Object.entries(modules[unit] ?? {}).map(([key, value]) => [key, textsOf(value)]),
      );
      for (const key of ["ExecStart", "LoadCredential", "Environment"]) {
        written.delete(key);
        expected.delete(key);
      }
      expect(Object.fromEntries(written), unit).toEqual(Object.fromEntries(expected));
    }
  } finally {
    await store.remove();
  }
  const why = whyWithoutSystemd();
  skip(why !== undefined, why);
  const units = globSync("*/*.{service,timer}", { cwd: directory }).map((file) => join(directory, file));
  expect(units).toHaveLength(5);
  for (const unit of units) {
    const verified = spawnSync("systemd-analyze", ["verify", unit], nothingElse);
    // Where the machine of the tests has no nats-server in systemd's own PATH.
    expect(verified.stderr.split("\n").filter((line) => line.includes(basename(unit)))).toEqual([]);
    if (unit.endsWith(".timer")) continue;
    const judged = spawnSync(
      "systemd-analyze",
      ["security", "--offline=yes", "--threshold=20", unit],
      nothingElse,
    );
    expect(judged.status, `${unit}\n${judged.stdout.slice(-300)}`).toBe(0);
  }
});

test("the modules of NixOS are taken by the modules of homelab-deploy", async ({ write, skip }) => {
  const directory = await write("--nixos", "--nats", "tls://nats.lan:4222", ...tls);
  const modules = globSync("*/module.nix", { cwd: directory }).map((file) => join(directory, file));
  expect(modules.map((file) => basename(dirname(file))).toSorted()).toEqual([
    "builder-cache01",
    "dashboard-cache01",
    "host-nixos-servers_db1_lan",
    "host-nixos-servers_web01",
    "nats",
    "updater-timer",
  ]);
  const store = await createThrowAwayStore();
  try {
    await store.run("nix-instantiate", "--parse", ...modules);
    const [lib] = nixpkgsLibs;
    skip(lib === undefined, whyWithoutLib);
    const imports = modules.filter((file) => !file.includes("/host-nixos-servers_db1_lan/"));
    const evaluated = await evaluateModules(store, lib ?? "", {
      configuration: `{ imports = [ ${imports.join(" ")} ]; }`,
    });
    expect(evaluated.failed).toEqual([]);
    const policy = evaluated.files["homelab-deploy/host.json"] ?? "";
    expect(decodeHostPolicy(Buffer.from(checkedText(policy)))).toMatchObject({
      repo: "nixos-servers",
      host: "web01",
      allowedBranches: ["main"],
      natsServers: ["tls://nats.lan:4222"],
    });
    expect(evaluated.ports).toContain(4222);
    expect(evaluated.services["nats"]?.serviceConfig["LoadCredential"]).toEqual([
      "cert.pem:/var/lib/acme/nats.lan/fullchain.pem",
      "key.pem:/var/lib/acme/nats.lan/key.pem",
    ]);
    const conf = natsConfigurationOf(evaluated);
    expect(conf).toContain('listen: "0.0.0.0:4222"');
    expect(conf).toContain('cert_file: "/run/credentials/nats.service/cert.pem"');
    // Each part signs in with its own key, as the user of its own name; there are no others.
    const users = conf.matchAll(/# (?<name>\S+); its clients need .*\n\s*\{ nkey: "(?<key>\S+)"/g);
    const keys = globSync("*/nats.nk", { cwd: directory });
    expect(keys).toHaveLength(9);
    expect(Object.fromEntries([...users].map(({ groups }) => [groups?.["name"], groups?.["key"]]))).toEqual(
      Object.fromEntries(
        keys.map((file) => [dirname(file), publicKeyOf(readFileSync(join(directory, file), "utf8"), file)]),
      ),
    );
  } finally {
    await store.remove();
  }
});

const tls = [
  "--nats-tls-cert",
  "/var/lib/acme/nats.lan/fullchain.pem",
  "--nats-tls-key",
  "/var/lib/acme/nats.lan/key.pem",
];

const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).map((each) => String(each));

/** The lines of a section by their key. */
function sectionOf(unit: string, name: string): Map<string, readonly string[]> {
  const lines = new Map<string, readonly string[]>();
  const text = unit.split(`[${name}]\n`)[1]?.split("\n[")[0] ?? "";
  for (const line of text.split("\n").filter((each) => each.includes("="))) {
    const [key = ""] = line.split("=");
    lines.set(key, [...(lines.get(key) ?? []), line.slice(key.length + 1)]);
  }
  return lines;
}
