import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, loadConfig, parseConfig } from "./load.ts";
import { formatProblem } from "./problems.ts";
import type { ConfigRole } from "./rules.ts";

const url = "https://git.lan/fleet.git";

function problemsOf(value: unknown, role: ConfigRole = "client"): string[] {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  try {
    parseConfig(text, "homelab.json", role);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
  return [];
}

const warningsOf = (value: object): string[] =>
  parseConfig(JSON.stringify(value), "homelab.json", "builder").warnings.map(formatProblem);

test("an empty object is a configuration, with every default filled in", () => {
  const { config, warnings } = parseConfig("{}", "homelab.json", "client");
  expect(warnings).toEqual([]);
  expect(config.builder.stateDirectory).toBe("/var/lib/homelab-deploy");
  expect(config.builder.retry.attempts).toBe(3);
  expect(config.repos).toEqual({});
});

test("says all problems at once, each with its place", () => {
  const problems = problemsOf({
    repos: {
      nixos: { brnach: "main", tokn: 1, pollSeconds: "often", include: ["web*", 7] },
      "Bad Name": { url },
      ftp: { url: "ftp://x/y" },
    },
    builder: { evaluation: { workers: "many", batchSize: 0.5, maxMemoryMiB: 1 }, keepCommits: 0 },
    nats: { servers: [] },
  });
  expect(problems).toHaveLength(12);
  expect(problems).toEqual(
    expect.arrayContaining([
      "repos.nixos.url: is missing",
      "repos.nixos.brnach: is not a setting; did you mean branch?",
      expect.stringMatching(/^repos\.nixos\.tokn: is not a setting; known are url, branch, /),
      "repos.nixos.pollSeconds: must be a number, not a string",
      "repos.nixos.include[1]: must be a string, not a number",
      "repos[\"Bad Name\"]: is not a valid repo name; allowed is 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-', not 'all' or 'any'",
      "repos.ftp.url: must be an https://, ssh:// or file:/// URL without a password in it",
      'builder.evaluation.workers: must be "auto" or a number, not a string',
      "builder.evaluation.batchSize: must be a whole number",
      "builder.evaluation.maxMemoryMiB: must be at least 128",
      "builder.keepCommits: must be at least 1",
      "nats.servers: must have at least 1",
    ]),
  );
});

test("one error carries them all, and says where to read on", () => {
  expect(() => parseConfig('{"a":1,"b":2}', "homelab.json", "client")).toThrow(
    expect.objectContaining({
      kind: "config",
      code: "BAD_CONFIG",
      message: expect.stringMatching(/^homelab\.json has 2 problems:\n {2}a: .*\n {2}b: /),
      hint: expect.stringContaining("docs/reference/configuration.md"),
    }),
  );
});

test.each([
  ["", "is not JSON: it is empty"],
  [
    '{\n  "nats": {\n    "password": "hunter2",\n  }\n}',
    "is not JSON: there is a mistake in line 4, column 3",
  ],
  ["[]", "must be an object, not a list"],
  ["null", "must be an object, not null"],
  ['{"nats": []}', "nats: must be an object, not a list"],
  ['{"repos": []}', "repos: must be an object, not a list"],
  ['{"nats": null}', "nats: must be an object, not null"],
])("%j is refused with: %s", (text, problem) => {
  expect(problemsOf(text)).toEqual([problem]);
});

test("no value of the file appears in a problem, wherever it stands", () => {
  const secret = "hunter2";
  const nasty = fc.oneof(
    fc.constant(secret),
    fc.constant([secret]),
    fc.constant({ x: secret }),
    fc.constant(`https://user:${secret}@git.lan/x`),
  );
  const key = fc.constantFrom("nats", "repos", "builder", "metrics", "$schema", "other");
  const inner = fc.constantFrom("nkeyFile", "servers", "tls", "url", "name", "evaluation", "listen", "fleet");
  fc.assert(
    fc.property(key, inner, nasty, (outer, name, value) => {
      for (const config of [
        { [outer]: value },
        { [outer]: { [name]: value } },
        { repos: { x: { url, [name]: value } } },
      ]) {
        expect(problemsOf(config).join("\n")).not.toContain(secret);
      }
      expect(problemsOf(`{"${name}": ${JSON.stringify(value)} ${secret}`).join("\n")).not.toContain(secret);
    }),
  );
});

test.each([
  [
    { nats: { nkeyFile: "/a", credentialsFile: "/b" } },
    "nats.credentialsFile: cannot stand together with nats.nkeyFile: choose one",
  ],
  [{ nats: { tls: { certFile: "/a" } } }, "nats.tls.certFile: needs nats.tls.keyFile"],
  [{ nats: { tls: { keyFile: "/a" } } }, "nats.tls.keyFile: needs nats.tls.certFile"],
  [
    { repos: { x: { url: "ssh://git@h/x", credentials: { tokenFile: "/t" } } } },
    "repos.x.credentials.tokenFile: is only for https:// URLs",
  ],
  [
    { repos: { x: { url, credentials: { sshKeyFile: "/k" } } } },
    "repos.x.credentials.sshKeyFile: is only for ssh:// URLs",
  ],
  [
    { repos: { x: { url: "ssh://git@h/x", credentials: { sshKeyFile: "/k %d" } } } },
    "repos.x.credentials.sshKeyFile: may have only letters, digits and _ . / + @ = , : - in its path",
  ],
  [{ repos: { constructor: { url } } }, "repos.constructor: is not a valid name"],
  [{ repos: { x: { url, include: [] } } }, "repos.x.include: leaves no host"],
  [{ repos: { x: { url, exclude: ["*"] } } }, "repos.x.exclude: leaves no host"],
  [{ repos: { x: { url, include: ["web["] } } }, "repos.x.include[0]: has a [ without its ]"],
  [
    { repos: { x: { url, branch: "-x" } } },
    expect.stringContaining("repos.x.branch: is not a valid branch name"),
  ],
  [{ metrics: { listen: "127.0.0.1:99999" } }, "metrics.listen: must have a port between 1 and 65535"],
  [
    { inputs: { credentials: { "git.lan:99999": { tokenFile: "/t" } } } },
    'inputs.credentials["git.lan:99999"]: must have a port between 1 and 65535',
  ],
])("%j is refused", (config, problem) => {
  expect(problemsOf(config)).toEqual([problem]);
});

const rollout = (settings: object) => ({ deployer: { rollouts: { servers: settings } } });

test.each([
  [{ wave: [] }, "is not a setting; did you mean waves?", "wave"],
  [{ waves: [{ name: "a", tier: "x" }] }, "is not a setting; did you mean tiers?", "waves[0].tier"],
  [{ waves: [{ name: "a", roles: [] }] }, "is empty, so no host matches: leave it out", "waves[0].roles"],
  [{ waves: [{ name: "a", hosts: ["web["] }] }, "has a [ without its ]", "waves[0].hosts[0]"],
  [{ waves: [{ name: "a", wave: 0 }, { name: "a" }] }, "stands there twice", "waves[1].name"],
  [
    { gates: [{ kind: "http", name: "a", url: "http://u@h" }] },
    "must be a URL without a user",
    "gates[0].url",
  ],
  [{ gates: [{ kind: "http", name: "a", url: "http://[" }] }, "is not a URL", "gates[0].url"],
  [
    { gates: [{ kind: "http", name: "a", url: "http://h", query: "up" }] },
    "is only for gates of kind prometheus",
    "gates[0].query",
  ],
  [
    { gates: [{ kind: "prometheus", name: "a", url: "http://h" }] },
    "is missing: what is Prometheus asked?",
    "gates[0].query",
  ],
  [
    { gates: [{ kind: "prometheus", name: "a", url: "http://h?x=1", query: "up" }] },
    "must be the address of the server, without ? and #",
    "gates[0].url",
  ],
  [{ windows: [{ start: "2:00", minutes: 60 }] }, "must be a time such as 02:00", "windows[0].start"],
  [
    { windows: [{ start: "02:00", minutes: 60, zone: "Mars/Base" }] },
    "is not a time zone",
    "windows[0].zone",
  ],
  [{ reboots: "in-window" }, "needs windows: without one hosts could reboot at any time", "reboots"],
  [
    { allowedSigners: "/etc/allowed-signers" },
    "needs repos.servers with its url, because the deployer fetches the commits",
    "allowedSigners",
  ],
])("rules of rollouts %j are refused: %s", (settings, message, place) => {
  expect(problemsOf(rollout(settings))).toEqual([`deployer.rollouts.servers.${place}: ${message}`]);
});

test("all that is wrong with rollouts is said at once", () => {
  const settings = { maxUnavailable: 0, onFailure: "panic", gates: [{ kind: "ping" }], branch: "-x" };
  expect(problemsOf({ deployer: { keyFile: "key", rollouts: { servers: settings, all: {} } } })).toHaveLength(
    8,
  );
});

test("a wave behind one that takes every host is warned of", () => {
  const waves = [
    { name: "canary", wave: 0 },
    { name: "rest", hosts: ["*"] },
    { name: "last", tiers: ["x"] },
  ];
  expect(parseConfig(JSON.stringify(rollout({ waves })), "f").warnings.map(formatProblem)).toEqual([
    "deployer.rollouts.servers.waves[2]: never gets a host, because waves[1] takes all of them",
  ]);
});

test("a deployer needs its key and something to roll out", () => {
  expect(problemsOf({}, "deployer")).toEqual([
    "deployer.keyFile: is missing: a deployer signs every order with its key",
    "deployer.rollouts: a deployer needs at least one repo",
  ]);
  const deployer = { keyFile: "/key", rollouts: { servers: {} } };
  expect(problemsOf({ deployer }, "deployer")).toEqual([]);
});

test("an unknown key of an object in a list is named", () => {
  const update = { downstream: [{ repo: "b", input: "servers", hots: [] }] };
  expect(problemsOf({ repos: { a: { url, update }, b: { url: `${url}-2` } } })).toEqual([
    "repos.a.update.downstream[0].hots: is not a setting; did you mean hosts?",
  ]);
});

test("a builder needs a repo, a client does not", () => {
  expect(problemsOf({}, "builder")).toEqual(["repos: a builder needs at least one repo"]);
  expect(problemsOf({}, "client")).toEqual([]);
});

test("warns of what works, but hardly as it was meant", () => {
  const repos = { one: { url, include: ["-web", "web"], exclude: ["all"] }, two: { url } };
  expect(warningsOf({ repos, builder: { build: { timeoutSeconds: 60 } } })).toEqual([
    "builder.build.silenceSeconds: never matters, because builder.build.timeoutSeconds is shorter",
    "repos.one.include[0]: can never match the name of a host",
    "repos.one.exclude[0]: can never match the name of a host",
    "repos.two: builds the same as repos.one",
  ]);
});

test("repos downstream must be others of the configuration, and each only once", () => {
  const downstream = (...repos: readonly string[]) => ({
    repos: {
      servers: { url, update: { downstream: repos.map((repo) => ({ repo, input: "servers" })) } },
      nixos: { url: `${url}-2` },
    },
  });
  const text = (value: object): string => JSON.stringify(value);
  expect(parseConfig(text(downstream("nixos")), "f").config.repos).toMatchObject({
    servers: { update: { downstream: [{ repo: "nixos", input: "servers", required: false }] } },
  });
  const at = "repos.servers.update.downstream";
  expect(() => parseConfig(text(downstream("nixos", "nixos")), "f")).toThrow(
    `${at}[1].repo: stands there twice`,
  );
  expect(() => parseConfig(text(downstream("servers")), "f")).toThrow(`${at}[0].repo: is the repo itself`);
  expect(() => parseConfig(text(downstream("elsewhere")), "f")).toThrow(
    `${at}[0].repo: is not a repo of this`,
  );
});

test("of two repos in one repository only one can be updated", () => {
  const forge = { url: "https://git.lan", owner: "a", repository: "b", tokenFile: "/t" };
  const twins = (second: object) =>
    JSON.stringify({
      repos: { one: { url, update: { forge } }, two: { url, directory: "two", update: second } },
    });
  expect(parseConfig(twins({}), "f").warnings).toEqual([]);
  expect(() => parseConfig(twins({ forge }), "f")).toThrow(
    "repos.two.update.forge: is of the same repository as repos.one: only one repo of a repository can be updated",
  );
});

test("reads a file, and says why one cannot be used", async () => {
  const directory = await mkdtemp(join(tmpdir(), "config-"));
  const path = join(directory, "homelab.json");
  await expect(loadConfig(path, "client")).rejects.toThrow(`${path}: cannot be read: there is no such file`);
  await writeFile(path, `\uFEFF${JSON.stringify({ repos: { nixos: { url } } })}`);
  const { config } = await loadConfig(path, "builder");
  expect(Object.entries(config.repos)).toMatchObject([["nixos", { url, branch: "master" }]]);
  await writeFile(path, " ".repeat(1024 * 1024 + 1));
  await expect(loadConfig(path, "client")).rejects.toThrow("it has more than 1048576 bytes");
  await rm(directory, { recursive: true });
});
