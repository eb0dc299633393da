import { expect, test } from "vitest";
import { parseBuilderName, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { accountOf, covers, sharedSubjects } from "./accounts.ts";
import { inboxPrefixOf, permissionsOf, type NatsUser } from "./permissions.ts";
import { accountsFragment, serverConfig, type ServerConfigOptions } from "./server-config.ts";

const key = (letter: string): string => `U${letter.repeat(55)}`;
const users: readonly NatsUser[] = [
  { role: "admin", publicKey: key("A") },
  { role: "operator", name: "alice", publicKey: key("B") },
  { role: "ci", publicKey: key("C") },
  { role: "dashboard", publicKey: key("D") },
  { role: "builder", name: parseBuilderName("cache1"), publicKey: key("E") },
  { role: "listener", host: parseHostName("web1.lan"), publicKey: key("F") },
  { role: "updater", publicKey: key("J") },
  { role: "deployer", publicKey: key("K") },
  {
    role: "listener",
    repo: parseRepoName("servers"),
    host: parseHostName("web1.lan"),
    publicKey: key("L"),
  },
];
const options: ServerConfigOptions = {
  listen: "127.0.0.1:4222",
  storeDirectory: "/var/lib/nats/jetstream",
  maxFileStore: 20e9,
  serverVersion: "2.10.27",
  users,
};

test("stores before it acknowledges, where the server can", () => {
  expect(serverConfig(options)).toMatch(/^ {2}sync_interval: always$/m);
  expect(serverConfig({ ...options, serverVersion: "2.9.10" })).not.toMatch(/^\s*sync_interval/m);
});

/** The lines of an account's block. */
function blockOf(text: string, account: string): string {
  const [, block = ""] = new RegExp(`^  ${account} \\{$(.*?)^  \\}$`, "ms").exec(text) ?? [];
  return block;
}

test("has the builders and the admin in one account and everybody else in another, with allow lists only", () => {
  const text = serverConfig(options);
  for (const { publicKey, role } of users) {
    expect(text.split(publicKey)).toHaveLength(2);
    expect(blockOf(text, accountOf(role))).toContain(publicKey);
  }
  expect(users.filter(({ role }) => accountOf(role) === "HOMELAB").map(({ role }) => role)).toEqual([
    "admin",
    "builder",
  ]);
  expect(blockOf(text, "CLIENTS")).not.toContain("jetstream");
  expect(text).not.toMatch(/deny|no_auth_user|allow_responses|password/);
  expect(text).toContain("system_account: SYS");
});

test("shares with the clients exactly what their users may use, and with no other account", () => {
  const text = serverConfig(options);
  const { services, streams } = sharedSubjects();
  for (const subject of [...services, ...streams]) {
    expect(blockOf(text, "HOMELAB")).toContain(`"${subject}", accounts: [ CLIENTS ] }`);
    expect(blockOf(text, "CLIENTS")).toContain(`{ account: HOMELAB, subject: "${subject}" } }`);
  }
  const own = /^(?:_INBOX|build-replies\.|homelab-deploy\.|deployer\.|deploy-replies\.)/;
  const isShared = (subject: string, shared: readonly string[]): boolean =>
    own.test(subject) || shared.some((wide) => covers(wide, subject));
  for (const user of users.filter(({ role }) => accountOf(role) === "CLIENTS")) {
    const { publish, subscribe } = permissionsOf(user);
    expect(publish.filter((subject) => !isShared(subject, services))).toEqual([]);
    expect(subscribe.filter((subject) => !isShared(subject, streams))).toEqual([]);
  }
});

test("nothing is shared twice: the server would carry and store it as often", () => {
  for (const subjects of Object.values(sharedSubjects("hub")) as (readonly string[])[]) {
    const twice = subjects.filter((subject) =>
      subjects.some((other) => other !== subject && covers(other, subject)),
    );
    expect(twice).toEqual([]);
  }
});

test.each([
  ["a.>", "a.b", true],
  ["a.>", "a.*.c", true],
  ["a.>", "a", false],
  ["a.*", "a.b", true],
  ["a.*", "a.*", true],
  ["a.*", "a.>", false],
  ["a.*", "a.b.c", false],
  ["a.b", "a.*", false],
  ["a.*.c", "a.b.c", true],
] as const)("whether %s covers %s: %s", (wide, narrow, isCovered) => {
  expect(covers(wide, narrow)).toBe(isCovered);
});

test("what makes a verdict can be published by builders only", () => {
  const truth = [
    "build-events.",
    "build-logs.",
    "$KV.builders.",
    "$KV.results.",
    "build-progress.",
    "build-replies.",
    "live.",
  ];
  const { services } = sharedSubjects();
  for (const subject of truth) {
    expect(services.filter((service) => service.startsWith(subject))).toEqual([]);
    for (const user of users.filter(({ role }) => role !== "builder")) {
      expect(permissionsOf(user).publish.filter((allowed) => allowed.startsWith(subject))).toEqual([]);
    }
  }
});

test("what happened to an update is told by an updater", () => {
  const may = users.filter((user) => permissionsOf(user).publish.includes("update-events.*"));
  expect(may.map(({ role }) => role)).toEqual(["updater"]);
});

test("a fragment has the accounts and nothing else", () => {
  const text = accountsFragment(users);
  expect(text.match(/^\w+/gm)).toEqual(["HOMELAB", "CLIENTS"]);
  for (const { publicKey } of users) expect(text).toContain(publicKey);
});

test("whoever brings no key to a private server is a client", () => {
  const text = serverConfig({ ...options, localPassword: "of nobody" });
  expect(text).toContain("no_auth_user: local");
  expect(blockOf(text, "CLIENTS")).toContain('{ user: local, password: "of nobody", permissions: {');
});

test("nobody but the admin may create or change anything in JetStream", () => {
  for (const user of users.filter(({ role }) => role !== "admin")) {
    const { publish, subscribe } = permissionsOf(user);
    expect(
      publish.filter((subject) => /CREATE|\.UPDATE\.|DELETE|PURGE|SNAPSHOT|API\.>/.test(subject)),
    ).toEqual([]);
    expect(subscribe).toContain(`${inboxPrefixOf(user)}.>`);
    expect(subscribe.filter((subject) => subject.startsWith("_INBOX"))).toHaveLength(1);
    expect([...publish, ...subscribe].filter((subject) => /^[*>]/.test(subject))).toEqual([]);
  }
});

test("tells a person which inbox prefix belongs to a key", () => {
  const text = serverConfig(options);
  expect(text).toContain("# operator-alice; its clients need nats.inboxPrefix _INBOX_operator-alice");
  expect(text).toContain("# host-web1_lan; its clients need nats.inboxPrefix _INBOX_host-web1_lan");
  expect(text).toContain("nats.inboxPrefix _INBOX_host-servers_web1_lan");
});

const operator = { role: "operator", publicKey: key("G") } as const;

test.each([
  ["no admin", { users: [operator] }, "there is no admin"],
  [
    "two users with one name",
    { users: [...users, operator, { ...operator, publicKey: key("H") }] },
    "are called operator",
  ],
  ["two users with one key", { users: [...users, { ...operator, publicKey: key("A") }] }, "is there twice"],
  [
    "a seed instead of a public key",
    { users: [...users, { ...operator, publicKey: "SUAGEHEIM" }] },
    '"SU…" is not',
  ],
  ["a path that breaks out", { storeDirectory: '/x" } include "/etc/passwd' }, "cannot be written"],
] as const)("refuses %s", (_, change, message) => {
  expect(() => serverConfig({ ...options, ...change })).toThrow(message);
});

test("with a domain each user may make the same calls as a client of a leaf node, and no other", () => {
  const text = serverConfig({ ...options, domain: "hub" });
  expect(text).toMatch(/^ {2}domain: "hub"$/m);
  expect(serverConfig(options)).not.toContain("hub");
  for (const user of users) {
    const plain = permissionsOf(user);
    const { publish, subscribe } = permissionsOf(user, "hub");
    expect(subscribe).toEqual(plain.subscribe);
    const added = publish.filter((subject) => !plain.publish.includes(subject));
    expect(publish.filter((subject) => plain.publish.includes(subject))).toEqual(plain.publish);
    const calls = plain.publish.filter((subject) => /^\$(?:JS\.API|KV)\./.test(subject));
    const ofDomain = (subject: string): string =>
      subject.startsWith("$KV.") ? `$JS.hub.API.${subject}` : subject.replace("$JS.API.", "$JS.hub.API.");
    expect(added).toEqual(calls.map(ofDomain));
  }
  const { services } = sharedSubjects("hub");
  expect(services).toContain("$JS.hub.API.STREAM.INFO.BUILD_EVENTS");
  expect(services.filter((subject) => /\$KV\.(?:builders|results)/.test(subject))).toEqual([]);
  expect(() => serverConfig({ ...options, domain: "a.b" })).toThrow("cannot be a JetStream domain");
});
