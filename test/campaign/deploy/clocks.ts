// A host whose clock is wrong, or jumps. The wall clock belongs to the whole machine, so the host's programs get theirs from
// libfaketime (Debian: faketime), each new one as a file says.
import { existsSync } from "node:fs";
import type { DeployCode } from "../../../src/protocol/deploy/deploy-codes.ts";
import type { DeployLab } from "../../support/lab/deploy-lab.ts";
import { journalEnd, journalOf, lineBehind } from "../../support/lab/lab-journal.ts";
import type { Fault } from "../judge-build.ts";
import { createScenario } from "./scenario.ts";

const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const file = "/run/clock";

export const whyNoClocks = (): string | undefined =>
  existsSync(library) ? undefined : "there is no libfaketime (Debian: apt-get install faketime)";

/** @param systems of the lab, which the host runs in turn */
export async function runClocks(
  lab: DeployLab,
  systems: readonly [string, string],
  say: (line: string) => void,
): Promise<readonly Fault[]> {
  const { host, orders } = lab;
  const scenario = createScenario("a clock that is wrong", lab);
  const next = async (): Promise<string> => {
    const { running } = await host.runs();
    return systems.find((name) => lab.systems[name] !== running) ?? systems[0];
  };
  // The clock was never before an order that was obeyed: a host that has obeyed none cannot know.
  await scenario.deploy(await next(), "completed");
  const variables = [
    `LD_PRELOAD=${library}`,
    `FAKETIME_TIMESTAMP_FILE=${file}`,
    "FAKETIME_NO_CACHE=1",
    // Waits go on as they are, and files keep their times.
    "DONT_FAKE_MONOTONIC=1",
    "NO_FAKE_STAT=1",
  ];
  const setClock = async (text: string): Promise<void> => host.writeFile(file, `${text}\n`);
  await setClock("+0");
  await host.run("systemctl", "set-environment", ...variables);
  await host.run("systemctl", "restart", "homelab-deploy-listener");

  const isFaked = async (): Promise<boolean> => {
    const year = await host.run("systemd-run", "--pipe", "--wait", "--collect", "--quiet", "date", "+%Y");
    return year.trim() === "1970";
  };
  await setClock("@1970-01-02 00:00:00");
  if (!(await isFaked())) scenario.wrong("the clock of the host's programs cannot be changed");

  for (const [clock, code] of [
    ["@1970-01-02 00:00:00", "CLOCK_WRONG"],
    ["-10m", "CLOCK_WRONG"],
    ["+1d", "EXPIRED"],
  ] as const satisfies readonly (readonly [string, DeployCode])[]) {
    await setClock(clock);
    await expectRefused(clock, code);
    say(`a clock that says ${clock}`);
  }

  async function expectRefused(clock: string, code: DeployCode): Promise<void> {
    const end = await orders.end(await orders.place(await next()), 60_000);
    if (end?.type === "rejected" && end.code === code) return;
    const is =
      end === undefined ? "not answered" : end.type === "rejected" ? `rejected (${end.code})` : end.outcome;
    scenario.wrong(`at ${clock} an order is ${is}, and should be rejected (${code})`);
  }

  const eventText = async (): Promise<string> => JSON.stringify((await journalOf(host)).lines.at(-1)?.event);

  // What was accepted is done, whatever the clock says then. It jumps back in between, and the order behind it is good again.
  for (const jump of ["+1d", "-1d"]) {
    await setClock("+0");
    // The newest order is the one that was refused; the next one is another.
    const from = await journalEnd(host);
    const order = await orders.place(await next());
    const isTaken = await lineBehind(host, from, "received", AbortSignal.timeout(120_000)).then(
      () => true,
      () => false,
    );
    if (!isTaken) scenario.wrong(`after a clock that was wrong an order is not taken: ${await eventText()}`);
    await setClock(jump);
    const end = await orders.end(order, 240_000);
    await setClock("+0");
    if (end?.type !== "finished" || end.outcome !== "completed") {
      scenario.wrong(
        `a jump of ${jump} while it fetches: ${end === undefined ? "no end" : JSON.stringify(end)}`,
      );
    }
    say(`a clock that jumps by ${jump} in a deployment`);
  }

  await host.run("systemctl", "unset-environment", ...variables.map((each) => each.split("=")[0] ?? ""));
  await host.run("systemctl", "restart", "homelab-deploy-listener");
  await scenario.deploy(await next(), "completed");
  return scenario.faults;
}
