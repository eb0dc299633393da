import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { storePath } from "../../../test/support/build-events.ts";
import type { FailureCause } from "../../nix/realiser.ts";
import { createFailingMachines, leaveOutMachines } from "./failing-machines.ts";

test("a machine that did not answer or was lost is avoided for five minutes, others are not", async () => {
  const clock = createFakeClock();
  const machines = createFailingMachines(clock);
  for (const news of ["started", "built", "failed", "interrupted"] as const) machines.observe("well", news);
  machines.observe("gone", "refused");
  await clock.advance(60_000);
  machines.observe("lost", "infra-failed");
  expect(machines.current()).toEqual(["gone", "lost"]);
  await clock.advance(240_000);
  expect(machines.current()).toEqual(["lost"]);
  await clock.advance(60_000);
  expect(machines.current()).toEqual([]);
});

test("a machine is known to fail before the hosts are tried again that it failed", () => {
  const machines = createFailingMachines(createFakeClock());
  const cause = (kind: FailureCause["kind"], machine?: string): FailureCause => ({
    kind,
    name: "linux",
    reason: kind,
    ...(machine === undefined ? {} : { machine }),
  });
  machines.learn({
    causes: new Map([
      [storePath("a.drv"), cause("infra", "lost")],
      [storePath("b.drv"), cause("failed", "well")],
      [storePath("c.drv"), cause("infra")],
    ]),
  });
  expect(machines.current()).toEqual(["lost"]);
});

test.each([
  [true, { withoutMachines: ["ssh://arm1"] }, "the remote builder ssh://arm1 is left out for some minutes"],
  [false, {}, "Nix may use it again, because its daemon lets only trusted users leave it out"],
])(
  "a failing machine is left out only where another takes its work; if we may: %s",
  (choosesMachines, options, told) => {
    const failingMachines = createFailingMachines(createFakeClock());
    const warnings: string[] = [];
    const asked: (readonly string[])[] = [];
    const leaveOut = () =>
      leaveOutMachines(
        {
          board: { warn: (_, text) => void warnings.push(text) },
          nix: {
            choosesMachines,
            machinesToSpare(names) {
              asked.push(names);
              return names.filter((name) => name === "ssh://arm1");
            },
          },
          failingMachines,
        },
        [],
      );
    expect(leaveOut()).toEqual({});
    expect(asked).toEqual([]);
    failingMachines.observe("ssh://arm1", "refused");
    failingMachines.observe("ssh://only", "refused");
    expect(leaveOut()).toEqual(options);
    expect(asked).toEqual([["ssh://arm1", "ssh://only"]]);
    expect(warnings).toEqual([expect.stringContaining(told)]);
  },
);
