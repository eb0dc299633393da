import { expect, test } from "vitest";
import { parseBuilderName, parseHostName } from "../protocol/names.ts";
import { inboxPrefixOf, permissionsOf, type NatsUser } from "./permissions.ts";
import { serverConfig, type ServerConfigOptions } from "./server-config.ts";

const key = (letter: string): string => `U${letter.repeat(55)}`;
const users: readonly NatsUser[] = [
  { role: "admin", publicKey: key("A") },
  { role: "operator", name: "alice", publicKey: key("B") },
  { role: "ci", publicKey: key("C") },
  { role: "dashboard", publicKey: key("D") },
  { role: "builder", name: parseBuilderName("cache1"), publicKey: key("E") },
  { role: "listener", host: parseHostName("web1.lan"), publicKey: key("F") },
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

test("has every user in one account, with allow lists only", () => {
  const text = serverConfig(options);
  for (const { publicKey } of users) expect(text.split(publicKey)).toHaveLength(2);
  expect(text).not.toMatch(/deny|no_auth_user|allow_responses/);
  expect(text).toContain("system_account: SYS");
});

test("nobody but the admin may create or change anything in JetStream", () => {
  for (const user of users.filter(({ role }) => role !== "admin")) {
    const { publish, subscribe } = permissionsOf(user, users);
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
  ["a path that breaks out", { storeDirectory: '/x" } include "/etc/passwd' }, "cannot stand in"],
] as const)("refuses %s", (_, change, message) => {
  expect(() => serverConfig({ ...options, ...change })).toThrow(message);
});
