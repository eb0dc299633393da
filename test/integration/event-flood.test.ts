// What a full event stream does to builds that still run.
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { aBuildId, accepted, anEvent, warning } from "../support/builds.ts";
import type { Homelab } from "../support/start-homelab.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { streams } from "../../src/protocol/subjects.ts";
import { test } from "../support/homelab.ts";

/** One host that is built for some seconds, and many that fail at once and say much. */
const flood = `{
  outputs = _: let
    words = builtins.concatStringsSep " " (builtins.genList (n: "word-\${toString n}") 2000);
    host = name: { config.system.build.toplevel = throw "host \${name}: \${words}"; };
  in {
    nixosConfigurations = {
      victim.config.system.build.toplevel = derivation {
        name = "nixos-system-victim";
        system = "x86_64-linux";
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        args = [ "-c" "sleep 12; echo E: it is broken; exit 1" ];
      };
    } // builtins.listToAttrs (builtins.genList (n: rec {
      name = "loud\${toString n}";
      value = host name;
    }) 10);
  };
}
`;

test("a key for CI that asks for many builds that say much pushes nothing out that is still needed", async ({
  homelab,
}) => {
  await homelab.fleet.commit({}, { files: { "flake.nix": flood } });
  await using admin = await homelab.server.connect("admin");
  const manager = await jetstreamManager(admin.nats, { checkAPI: false });
  const { config } = await manager.streams.info(streams.events);
  const builder = await homelab.startBuilder();
  await manager.streams.update(streams.events, { ...config, max_bytes: 512 * 1024 });
  // So long the builder may believe what it knew of the stream.
  await sleep(1100);
  const reader = createReader(admin);
  const command = homelab.run(["build", "victim", "--json"]);
  let victim: BuildId | undefined;
  await expect
    .poll(
      async () => {
        [victim] = await reader.listBuilds(signal);
        return victim === undefined ? undefined : (await reader.lastEvent(victim, signal))?.type;
      },
      { timeout: 30_000 },
    )
    .toBe("building");
  if (victim === undefined) throw new Error("there is no build");

  await using ci = await homelab.server.connect("ci");
  const requests = 60;
  for (let i = 0; i < requests; i++) {
    const hosts = ["loud0", "loud1", "loud2", "loud3", "loud4", "loud5", "loud6", "loud7", "loud8", "loud9"];
    await ci.nats.request("build.fleet.all", JSON.stringify({ hosts }), { timeout: 30_000 });
  }
  expect((await command).exitCode).toBe(1);
  const events = await reader.readEvents(victim, 0, signal);
  expect([events[0]?.type, events.at(-1)?.type]).toEqual(["accepted", "finished"]);
  expect(await reader.queueLength(signal)).toBeGreaterThan(0);
  expect(await builder.log()).toContain("requests wait: the event stream has no room for more builds");

  // Nothing is lost: with room, what waits is taken.
  await manager.streams.update(streams.events, config);
  await expect.poll(async () => reader.queueLength(signal), { timeout: 90_000 }).toBe(0);
  expect((await reader.listBuilds(signal)).length).toBe(1 + requests);
});

const signal = AbortSignal.timeout(300_000);

/** Fills the event stream with another builder's key. */
async function withSmallStream(
  homelab: Homelab,
  work: (fill: (bytes: number) => Promise<void>, bus: ReturnType<typeof createBuilderBus>) => Promise<void>,
): Promise<void> {
  await using admin = await homelab.server.connect("admin");
  await using other = await homelab.server.connect("builder2");
  const manager = await jetstreamManager(admin.nats, { checkAPI: false });
  const { config } = await manager.streams.info(streams.events);
  await manager.streams.update(streams.events, { ...config, max_bytes: 256 * 1024 });
  const bus = createBuilderBus(other);
  try {
    await work(async (bytes) => {
      const id = aBuildId();
      const log = await bus.openEventLog(id, [], signal);
      for (let index = 0; index * 9000 < bytes; index++) {
        await log.append(anEvent(id, index, index === 0 ? accepted : warning("x".repeat(9000))), signal);
      }
    }, bus);
  } finally {
    await manager.streams.update(streams.events, config);
  }
}

test("a build whose events were dropped goes on for whoever follows it, and can be cancelled", async ({
  homelab,
}) => {
  await homelab.stopAll();
  await homelab.fleet.commit({}, { files: { "flake.nix": flood.replace("sleep 12", "sleep 240") } });
  await homelab.startBuilder();
  await withSmallStream(homelab, async (fill, bus) => {
    const known = new Set(await bus.listBuilds(signal));
    const command = homelab.run(["build", "victim"]);
    let isOver = false;
    void command.then(() => (isOver = true));
    let id: BuildId | undefined;
    await expect
      .poll(
        async () => {
          id = (await bus.listBuilds(signal)).find((each) => !known.has(each));
          return id === undefined ? undefined : (await bus.lastEvent(id, signal))?.type;
        },
        { timeout: 60_000 },
      )
      .toBe("building");
    if (id === undefined) throw new Error("there is no build");
    await fill(400 * 1024);
    expect(await bus.lastEvent(id, signal)).toBeUndefined();
    // Longer than whoever follows believes what it knew.
    await sleep(12_000);
    expect(isOver).toBe(false);

    const cancelled = await homelab.run(["builds", "cancel", id]);
    expect(cancelled).toMatchObject({ exitCode: 0 });
    expect((await command).stdout).toContain("cancelled");
  });
});

test("a build that has lost its beginning and its builder is ended by the next one", async ({ homelab }) => {
  await homelab.stopAll();
  const id = aBuildId();
  await withSmallStream(homelab, async (fill, bus) => {
    const log = await bus.openEventLog(id, [], signal);
    await log.append(anEvent(id, 0, accepted), signal);
    await fill(150 * 1024);
    await log.append(anEvent(id, 1, warning("the last word")), signal);
    await fill(150 * 1024);
    expect(await bus.lastEvent(id, signal)).toMatchObject({ index: 1 });
    await expect(bus.readEvents(id, 0, signal)).rejects.toMatchObject({ code: "EVENTS_INCOMPLETE" });
  });
  await homelab.startBuilder();
  await using connection = await homelab.server.connect("operator");
  await expect
    .poll(async () => createReader(connection).lastEvent(id, signal), { timeout: 60_000 })
    .toMatchObject({ type: "finished", verdict: "infra-failed", index: 2, epoch: 2 });
});

test("cancels of builds that nobody asked for hide none of those that were built", async ({ homelab }) => {
  await homelab.fleet.commit({ salt: "seen", hosts: 1 });
  await homelab.startBuilder();
  expect((await homelab.run(["build", "host01"])).exitCode).toBe(0);
  await using ci = await homelab.server.connect("ci");
  const invented = Array.from({ length: 300 }, () => aBuildId());
  for (const id of invented) ci.nats.publish(`build-control.${id}`, '{"action":"cancel"}');
  await ci.nats.flush();
  const reader = createReader(ci);
  await expect
    .poll(async () => (await reader.listBuilds(signal)).filter((id) => invented.includes(id)), {
      timeout: 60_000,
    })
    .toHaveLength(300);
  expect((await homelab.run(["hosts"])).stdout).toContain("host01");
});
