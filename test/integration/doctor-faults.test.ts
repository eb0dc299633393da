// Each fault that is planted is found, once and with what to do about it; and where nothing is wrong nothing is said.
import { expect, test as base } from "vitest";
import * as v from "valibot";
import { faults } from "../support/doctor-faults.ts";
import { startSoundLab } from "../support/sound-lab.ts";

const Report = v.object({
  sound: v.boolean(),
  findings: v.array(
    v.object({
      check: v.string(),
      state: v.picklist(["ok", "warning", "wrong", "unknown"]),
      message: v.string(),
      hint: v.optional(v.string()),
      concerns: v.optional(v.array(v.string())),
    }),
  ),
});
type Finding = v.InferOutput<typeof Report>["findings"][number];

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
  const lab = await startSoundLab();
  onCleanup(() => lab[Symbol.asyncDispose]());
  return lab;
});

/** True of the machine that the tests run on: no sandbox in a container, old programs, a server without monitoring. */
const ofThisMachine =
  /^(?:nix\.conf sandbox|Nix version|git version|nats-server version|NATS durability|store disk)$/;

const problems = (stdout: string): readonly Finding[] =>
  v
    .parse(Report, JSON.parse(stdout))
    .findings.filter(({ state }) => state !== "ok")
    .filter(({ check, message }) => !ofThisMachine.test(check) || message.includes("no build begins"));

const brief = (found: readonly Finding[]): readonly string[] =>
  found.map(({ check, state, message, hint }) => `${state} ${check}: ${message} | ${hint ?? ""}`);

test("nothing is said of what is in order, and the builder hears nothing of it", async ({ lab }) => {
  const builder = await lab.homelab.startBuilder();
  const before = (await builder.log()).length;
  for (const user of ["builder1", "operator", "ci"] as const) {
    const { stdout } = await lab.doctor(lab.config(user));
    expect(
      brief(problems(stdout).filter(({ check }) => check !== "NATS limits" || user === "builder1")),
    ).toEqual([]);
  }
  const log = await builder.log();
  expect(log).toContain('"level":"info"');
  expect(log.slice(before)).not.toMatch(/"level":"(?:warn|error)"/);
  expect(log).not.toContain('"level":"error"');
});

test("there are enough of them", () => {
  expect(faults.length).toBeGreaterThanOrEqual(40);
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
});

test.for(faults)("found: $name", async (fault, { lab, onTestFinished }) => {
  const { config, environment } = await fault.plant(lab, (end) =>
    onTestFinished(async () => void (await end())),
  );
  const { exitCode, stdout } = await lab.doctor(config, environment);
  const found = problems(stdout);
  const others = found.filter(({ check }) => check !== fault.check && fault.also?.includes(check) !== true);
  expect(brief(others)).toEqual([]);
  expect(found.filter(({ check }) => check === fault.check)).toEqual([
    expect.objectContaining({
      state: fault.state,
      message: expect.stringMatching(fault.says),
      hint: expect.stringMatching(fault.advice),
    }),
  ]);
  // The machine of the tests has no sandbox, which is wrong as well.
  expect(exitCode).toBe(1);
});
