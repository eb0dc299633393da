import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { causesOf, messageOf } from "../../base/errors.ts";
import { findNatsAccess, natsConfigDirectory, readNatsContext } from "./nats-context.ts";

/** A home with a `nats` command that is set up. */
const test = base.extend("home", async ({}, { onCleanup }) => {
  const home = await mkdtemp(join(tmpdir(), "homelab-context-"));
  onCleanup(() => rm(home, { recursive: true, force: true }));
  const directory = join(home, ".config", "nats");
  await mkdir(join(directory, "context"), { recursive: true });
  await writeFile(join(directory, "context.txt"), "home\n");
  await writeFile(
    join(directory, "context", "home.json"),
    JSON.stringify({
      description: "",
      url: "nats://a:4222, tls://b:4222",
      nkey: "/keys/operator.nk",
      ca: "/keys/ca.pem",
      user: "",
      inbox_prefix: "_INBOX_operator",
      jetstream_domain: "hub",
      color_scheme: "",
    }),
  );
  await writeFile(
    join(directory, "context", "old.json"),
    `{"url":"nats://old","user":"u","password":"geheim"}`,
  );
  await writeFile(join(directory, "context", "broken.json"), `{"password":"geheim", "url": 7}`);
  return home;
});

test("reads the selected context of the nats command", async ({ home }) => {
  expect(await readNatsContext(natsConfigDirectory({ HOME: home }))).toEqual({
    servers: ["nats://a:4222", "tls://b:4222"],
    nkeyFile: "/keys/operator.nk",
    tls: { caFile: "/keys/ca.pem" },
    inboxPrefix: "_INBOX_operator",
    jetstreamDomain: "hub",
  });
});

test("the domain of the configuration comes before that of the environment", async () => {
  const environment = { NATS_URL: "nats://a:4222", HOMELAB_DEPLOY_JETSTREAM_DOMAIN: "hub" };
  expect(await findNatsAccess({}, environment)).toMatchObject({ jetstreamDomain: "hub" });
  const configured = { jetstreamDomain: "home" };
  expect(await findNatsAccess(configured, environment)).toMatchObject({ jetstreamDomain: "home" });
});

test("reads the context that is named, with its password", async ({ home }) => {
  expect(await findNatsAccess({}, { HOME: home, NATS_CONTEXT: "old" })).toMatchObject({
    servers: ["nats://old"],
    password: { user: "u", password: "geheim" },
  });
});

test.for([
  ["is missing", "none", "does not exist"],
  ["is not valid", "broken", "is not valid"],
  ["leaves the directory", "../../etc/passwd", "cannot be one"],
] as const)("a context that %s is an error that tells no secret", async ([, name, message], { home }) => {
  const error: unknown = await readNatsContext(natsConfigDirectory({ HOME: home }), name).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({
    kind: "config",
    code: "NATS_CONTEXT",
    message: expect.stringContaining(message),
  });
  expect(JSON.stringify([error, messageOf(error), ...causesOf(error)])).not.toContain("geheim");
});

test("the configuration comes before $NATS_URL, that before the context, that before this machine", async ({
  home,
}) => {
  const configured = { servers: ["nats://configured"] };
  const environment = { HOME: home, NATS_URL: "nats://environment", NATS_NKEY: "/keys/env.nk" };
  expect(await findNatsAccess(configured, environment)).toEqual(configured);
  expect(await findNatsAccess({}, environment)).toMatchObject({
    servers: ["nats://environment"],
    nkeyFile: "/keys/env.nk",
  });
  expect((await findNatsAccess({}, { HOME: home })).servers).toEqual(["nats://a:4222", "tls://b:4222"]);
  expect((await findNatsAccess({}, { HOME: join(home, "empty") })).servers).toEqual([
    "nats://127.0.0.1:4222",
  ]);
});

test("takes a user, a password or a token out of the URL", async () => {
  expect(await findNatsAccess({}, { NATS_URL: "nats://u:p%40@a:4222,b" })).toMatchObject({
    servers: ["nats://a:4222", "nats://b"],
    password: { user: "u", password: "p@" },
  });
  expect(await findNatsAccess({}, { NATS_URL: "tls://geheim@a" })).toMatchObject({
    servers: ["tls://a"],
    token: "geheim",
  });
  await expect(findNatsAccess({}, { NATS_URL: "http://u:geheim@a" })).rejects.toMatchObject({
    code: "NATS_URL",
    message: "a NATS URL is not valid",
  });
});

test("never signs in to one server with what belongs to another", async ({ home }) => {
  expect(
    await findNatsAccess({ servers: ["nats://elsewhere"] }, { HOME: home, NATS_CONTEXT: "old" }),
  ).toEqual({
    servers: ["nats://elsewhere"],
  });
  const own = await findNatsAccess({ nkeyFile: "/keys/own.nk" }, { HOME: home, NATS_CONTEXT: "old" });
  expect(own).toMatchObject({ servers: ["nats://old"], nkeyFile: "/keys/own.nk" });
  expect(own.password).toBeUndefined();
});
