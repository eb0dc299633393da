// What a full event stream does to builds that still run.
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
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
  const signal = AbortSignal.timeout(120_000);
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
