// What somebody with a stolen key could try on a whole installation: a builder, its clients, and updates.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { expect } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { eventMessageId } from "../../src/bus/message-ids.ts";
import { isNoResponders } from "../../src/bus/connect/nats-errors.ts";
import { encodeEvent, type BuildEvent, type EventBody } from "../../src/protocol/events.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { streams } from "../../src/protocol/subjects.ts";
import { test } from "../support/homelab.ts";
import type { TestUser } from "../support/start-roles-server.ts";
import { createUpdateLab } from "../support/update-lab.ts";

/** One host that is built for some seconds, and fails. */
const victim = `{
  outputs = _: {
    nixosConfigurations.host01.config.system.build.toplevel = derivation {
      name = "nixos-system-host01";
      system = "x86_64-linux";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      args = [ "-c" "sleep 8; echo E: it is broken; exit 1" ];
    };
  };
}
`;

const soon = { timeout: 30_000 };

test("no key forges the verdict of a build that fails", async ({ homelab }) => {
  const signal = AbortSignal.timeout(60_000);
  await homelab.fleet.commit({}, { files: { "flake.nix": victim } });
  await homelab.startBuilder();
  const command = homelab.run(["build", "host01", "--json"]);

  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  let id: BuildId | undefined;
  await expect
    .poll(async () => {
      [id] = await reader.listBuilds(signal);
      return id === undefined ? undefined : (await reader.lastEvent(id, signal))?.type;
    }, soon)
    .toBe("building");
  if (id === undefined) throw new Error("there is no build");
  const events = await reader.readEvents(id, 0, signal);

  const outcomes: string[] = [];
  for (const user of ["updater", "ci", "operator", "dashboard"] as const) {
    await using attacker = await homelab.server.connect(user);
    for (const event of forgeries(id, events)) {
      const header = headers();
      header.set("Nats-Msg-Id", eventMessageId(event));
      const stored = await attacker.nats
        .request("update-events.fleet", encodeEvent(event), { headers: header, timeout: 5000 })
        .then(
          () => "stored",
          () => "refused",
        );
      outcomes.push(`${user}: ${stored}`);
      attacker.nats.publish("$JS.API.DIRECT.GET.UPDATE_EVENTS.update-events.fleet", "", {
        reply: `build-events.${id}`,
      });
      attacker.nats.publish(`build-events.${id}`, encodeEvent(event));
    }
    await attacker.nats.flush();
  }
  expect(new Set(outcomes)).toEqual(
    new Set(["updater: stored", "ci: refused", "operator: refused", "dashboard: refused"]),
  );

  const { exitCode, stdout } = await command;
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
    type: "finished",
    verdict: "failed",
  });
  const hosts = await homelab.run(["hosts", "--json"]);
  expect(hosts.stdout).toContain("build-failed");
  expect(hosts.stdout).not.toContain('"built"');
});

/** What would make a success of it, with the ids that readers ask of a builder's message. */
function forgeries(build: BuildId, events: readonly BuildEvent[]): readonly BuildEvent[] {
  const evaluated = events.find((event) => event.type === "evaluated");
  const bodies: readonly EventBody[] = [
    {
      type: "hosts-finished",
      hosts: (evaluated?.hosts ?? []).map(({ repo, host, outPath }) => ({
        repo,
        host,
        verdict: "built",
        outPath,
        durationMs: 1,
      })),
    },
    { type: "finished", verdict: "succeeded", durationMs: 2 },
  ];
  return bodies.map((body, index) => ({
    build,
    epoch: 1,
    index: events.length + index,
    at: new Date().toISOString(),
    ...body,
  }));
}

test("a key that may only read empties no stream, cancels nothing and starts nothing", async ({
  homelab,
}) => {
  const signal = AbortSignal.timeout(90_000);
  await homelab.fleet.commit({ salt: "evicted", hosts: 1, hostSeconds: 6 });
  await homelab.startBuilder();
  await using operator = await homelab.server.connect("operator");
  const reader = createReader(operator);
  const known = new Set(await reader.listBuilds(signal));
  const command = homelab.run(["build", "host01"]);
  let id: BuildId | undefined;
  await expect
    .poll(async () => {
      id = (await reader.listBuilds(signal)).find((each) => !known.has(each));
      return id === undefined ? undefined : (await reader.lastEvent(id, signal))?.type;
    }, soon)
    .toBe("building");

  const manager = await jetstreamManager(operator.nats, { checkAPI: false });
  const before = (await manager.streams.info(streams.events)).state;
  await using dashboard = await homelab.server.connect("dashboard");
  const question = JSON.stringify({ subjects_filter: ">" });
  for (let i = 0; i < 2000; i++) {
    const suffix = String(i).padStart(4, "0");
    for (const reply of [
      `build-events.01M84KW4J7RPYZCCCPJ0CR${suffix}`,
      `build-control.${id}`,
      "build.fleet.all",
      "$KV.builders.b1",
    ]) {
      dashboard.nats.publish("$JS.API.STREAM.INFO.BUILD_EVENTS", question, { reply });
    }
    if (i % 100 === 0) await dashboard.nats.flush();
  }
  await dashboard.nats.request("$JS.API.STREAM.INFO.BUILD_EVENTS", "", { timeout: 30_000 });

  expect((await command).exitCode).toBe(0);
  const after = (await manager.streams.info(streams.events)).state;
  expect(after.first_seq).toBe(before.first_seq);
  expect((await reader.listBuilds(signal)).filter((each) => !known.has(each))).toEqual([id]);
  expect((await reader.listBuilders(signal)).map(({ name }) => name)).toEqual(["b1"]);
});

test("an update with a key for CI lands, and warns that its news are told by an updater's", async ({
  homelab,
}) => {
  await using lab = await createUpdateLab(["host01", "host02"]);
  await homelab.stopAll();
  const repos = { fleet: { url: lab.url, branch: "master", pollSeconds: 0 } };
  await homelab.startBuilder("builder1", {}, { repos });
  const update = async (user: TestUser) => {
    const config = join(homelab.directory, `update-${user}.json`);
    const nats = { servers: [homelab.server.url], ...homelab.server.settingsOf(user) };
    const stateDirectory = join(homelab.directory, "update");
    await writeFile(
      config,
      JSON.stringify({
        nats,
        repos: { fleet: { ...repos.fleet, update: { identity: { email: "bot@homelab.invalid" } } } },
        update: { stateDirectory },
      }),
    );
    return homelab.run(["update"], { user, environment: { HOMELAB_DEPLOY_CONFIG: config } });
  };

  await lab.bump("alpha", { value: "2" });
  const byPipeline = await update("ci");
  expect(byPipeline).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("landed") });
  expect(byPipeline.stderr).toContain("our NATS key may not announce updates");
  expect(byPipeline.stderr).toContain("--updater");

  // What could not be told is told by the next run, with the right key.
  await lab.bump("alpha", { value: "3" });
  const byUpdater = await update("updater");
  expect(byUpdater).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("landed") });
  expect(byUpdater.stderr).not.toContain("may not");
  await using dashboard = await homelab.server.connect("dashboard");
  const told: string[] = [];
  for (let seq = 1; ;) {
    const query = JSON.stringify({ seq, next_by_subj: "update-events.fleet" });
    const message = await dashboard.nats.request("$JS.API.DIRECT.GET.UPDATE_EVENTS", query);
    if (message.headers?.code === 404) break;
    const text = message.string();
    if (text.includes('"outcome":"landed"')) told.push(text);
    seq = Number(message.headers?.get("Nats-Sequence")) + 1;
  }
  expect(told).toHaveLength(2);
});

test("a red update does not land while an updater's key says that its build succeeded", async ({
  homelab,
}) => {
  const signal = AbortSignal.timeout(90_000);
  await using lab = await createUpdateLab(["host01", "host02"]);
  await homelab.stopAll();
  const repos = { fleet: { url: lab.url, branch: "master", pollSeconds: 0 } };
  await homelab.startBuilder("builder1", {}, { repos });
  const master = (await lab.branches())["master"];
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  const config = join(homelab.directory, "update-red.json");
  await writeFile(
    config,
    JSON.stringify({
      nats: { servers: [homelab.server.url], ...homelab.server.settingsOf("updater") },
      repos: { fleet: { ...repos.fleet, update: { identity: { email: "bot@homelab.invalid" } } } },
      update: { stateDirectory: join(homelab.directory, "update-red") },
    }),
  );
  const update = homelab.run(["update"], {
    user: "updater",
    environment: { HOMELAB_DEPLOY_CONFIG: config },
  });
  const over = new AbortController();
  void update.finally(() => over.abort());

  await using attacker = await homelab.server.connect("updater");
  const reader = createReader(attacker);
  while (!over.signal.aborted) {
    for (const id of (await reader.listBuilds(signal)).slice(0, 3)) {
      const events = await reader.readEvents(id, 0, signal);
      for (const event of forgeries(id, events)) {
        const header = headers();
        header.set("Nats-Msg-Id", eventMessageId(event));
        await attacker.nats
          .request("update-events.other", encodeEvent(event), { headers: header, timeout: 5000 })
          .catch((error: unknown) => {
            if (!isNoResponders(error)) throw error;
          });
        attacker.nats.publish("$JS.API.DIRECT.GET.UPDATE_EVENTS.update-events.other", "", {
          reply: `build-events.${id}`,
        });
      }
    }
    await attacker.nats.flush();
  }
  expect(await update).toMatchObject({ exitCode: 1 });
  expect((await lab.branches())["master"]).toBe(master);
});
