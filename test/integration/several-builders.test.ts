// Two builders of the same repos, each with a store of its own, share the queue: what somebody waits for goes to the one that
// has nothing to do.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test as base } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { parseBuildId, type BuildId } from "../../src/protocol/names.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { startHomelab } from "../support/start-homelab.ts";

const signal = new AbortController().signal;
const test = base.extend("scene", { scope: "file" }, async ({}, { onCleanup }) => {
  const homelab = await startHomelab();
  const ownStore = await createThrowAwayStore({ "max-jobs": "4" });
  await homelab.startBuilder("builder1");
  await homelab.startBuilder("builder2", {}, {}, ownStore);
  const connection = await homelab.server.connect("operator", { role: "daemon" });
  onCleanup(async () => {
    await connection.close();
    await homelab[Symbol.asyncDispose]();
    await ownStore.remove();
  });
  const reader = createReader(connection);
  await expect.poll(async () => (await reader.listBuilders(signal)).length, { timeout: 60_000 }).toBe(2);

  const ask = async (...args: readonly string[]): Promise<BuildId> => {
    const { stdout, stderr } = await homelab.run(["build", ...args, "--detach"]);
    if (stdout === "") throw new Error(stderr);
    return parseBuildId(stdout.trim());
  };
  /** The builder that took it, once it did. */
  const takerOf = async (id: BuildId): Promise<string> => {
    let taker: string | undefined;
    await expect
      .poll(
        async () => {
          const [first] = await reader.readEvents(id, 0, signal);
          taker = first?.type === "accepted" ? first.builder : undefined;
          return taker;
        },
        { timeout: 60_000 },
      )
      .toBeDefined();
    return taker ?? "";
  };
  const verdictOf = async (id: BuildId): Promise<string | undefined> => {
    for await (const message of reader.follow(id, {}, signal))
      if (message.type === "event" && message.event.type === "finished") return message.event.verdict;
    return undefined;
  };
  /** A fleet whose toplevels are built once the result is called. */
  const commitHeld = async (salt: string, hosts: number): Promise<() => Promise<void>> => {
    const gate = join(homelab.directory, `gate-${salt}`);
    const names = Array.from({ length: hosts }, (_, index) => `host0${index + 1}`);
    await homelab.fleet.commit({
      salt,
      hosts,
      gate,
      buildFail: Object.fromEntries(names.map((name) => [name, "gate"])),
    });
    const open = async (): Promise<void> => writeFile(gate, "");
    onTestFinished(async () => {
      await open();
      await rm(gate);
    });
    return open;
  };
  return { homelab, ask, takerOf, verdictOf, commitHeld };
});

test("two requests at once use both builders", async ({ scene }) => {
  const { ask, takerOf, verdictOf, commitHeld } = scene;
  for (const priority of ["interactive", "batch"]) {
    const open = await commitHeld(`two-${priority}`, 2);
    const ids = await Promise.all([
      ask("host01", "--priority", priority),
      ask("host02", "--priority", priority),
    ]);
    const takers = await Promise.all(ids.map(takerOf));
    expect(takers.toSorted(), priority).toEqual(["b1", "b2"]);
    await open();
    expect(await Promise.all(ids.map(verdictOf))).toEqual(["succeeded", "succeeded"]);
  }
});

test("while one builds, what others wait for goes to the one that is idle, again and again", async ({
  scene,
}) => {
  const { homelab, ask, takerOf, verdictOf, commitHeld } = scene;
  const open = await commitHeld("busy", 3);
  const batch = await ask("--all");
  const busy = await takerOf(batch);
  await homelab.fleet.commit({ salt: "quick", hosts: 3 });
  const takers: string[] = [];
  for (let count = 0; count < 8; count++) {
    const id = await ask("host01", "--priority", count % 2 === 0 ? "interactive" : "batch");
    takers.push(await takerOf(id));
    expect(await verdictOf(id)).toBe("succeeded");
  }
  expect(takers).toEqual(takers.map(() => (busy === "b1" ? "b2" : "b1")));
  await open();
  expect(await verdictOf(batch)).toBe("succeeded");
});

test("a builder that is busy takes what nobody else does", async ({ scene }) => {
  const { homelab, ask, takerOf, verdictOf, commitHeld } = scene;
  const open = await commitHeld("alone", 2);
  const held = await ask("host01");
  const busy = await takerOf(held);
  const idle = busy === "b1" ? "builder2" : "builder1";
  const builder = await homelab.startBuilder(idle);
  builder.signal("SIGKILL");
  await builder.ended;
  const second = await ask("host02");
  expect(await takerOf(second)).toBe(busy);
  await open();
  expect(await Promise.all([held, second].map(verdictOf))).toEqual(["succeeded", "succeeded"]);
});
