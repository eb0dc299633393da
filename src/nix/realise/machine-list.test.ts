import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseMachines } from "../settings/machines.ts";
import { createMachineList } from "./machine-list.ts";

const machines = parseMachines(
  "ssh://arm1?ssh-key=/k - /k 4 ; arm2 - - 2 1 kvm ; big - - 2 1 kvm",
  "x86_64-linux",
);
const [arm1, arm2, big] = machines.map(({ line }) => `${line}\n`);

async function listWithout(names: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), "homelab-machines-"));
  onTestFinished(async () => rm(directory, { recursive: true }));
  const list = await createMachineList(machines, names, directory);
  return { list, read: async () => readFile(list.setting.replace(/^@/, ""), "utf8") };
}

test("has all that are used, as nix.conf has them, and leaves out who does not answer", async () => {
  const { list, read } = await listWithout([]);
  expect(await read()).toBe(`${arm1}${arm2}${big}`);
  await list.leaveOut(["ssh://arm1"]);
  expect(await read()).toBe(`${arm2}${big}`);
});

test("keeps whom nobody can replace, and takes all back when nobody else is left", async () => {
  const { list, read } = await listWithout(["ssh://arm2"]);
  expect(await read()).toBe(`${arm1}${big}`);
  await list.leaveOut(["ssh://arm2", "ssh://big"]);
  expect(await read()).toBe(`${arm1}${arm2}${big}`);
});
