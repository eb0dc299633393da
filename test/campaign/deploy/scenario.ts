// What every scenario does with its host: deploy, and see that it came to what it should.
import type { DeployCode, DeployOutcome } from "../../../src/protocol/deploy/deploy-codes.ts";
import type { DeployLab } from "../../support/lab/deploy-lab.ts";
import type { Fault } from "../judge-build.ts";

export interface Scenario {
  readonly faults: Fault[];
  wrong(what: string): void;
  /** Deploys a system of the lab, and judges what the host runs, boots and is told by then. */
  deploy(name: string, outcome: DeployOutcome, code?: DeployCode): Promise<void>;
}

/** For what never ends; on a busy machine a deploy takes long. */
const patienceMs = 240_000;

export function createScenario(title: string, lab: DeployLab): Scenario {
  const faults: Fault[] = [];
  const { host, orders, systems } = lab;

  async function judge(name: string, outcome: DeployOutcome, code?: DeployCode): Promise<readonly string[]> {
    const before = await host.runs();
    const order = await orders.place(name);
    const end = await orders.end(order, patienceMs);
    if (end === undefined) return ["it has no end"];
    if (end.type === "rejected") return [`it is rejected (${end.code}: ${end.detail})`];
    const problems: string[] = [];
    if (end.outcome !== outcome || end.code !== code) {
      const is = `${end.outcome} (${end.code ?? "no code"}: ${end.detail ?? ""})`;
      problems.push(`it is ${is}, and should be ${outcome} (${code ?? "no code"})`);
    }
    const expected = end.outcome === "completed" ? systems[name] : before.running;
    const after = await host.runs();
    for (const place of ["running", "permanent", "bootDefault"] as const) {
      if (after[place] !== expected) problems.push(`${place} is ${after[place]}, and should be ${expected}`);
    }
    for (const unit of ["web.service", "homelab-deploy-listener.service"]) {
      const state = (await host.exec(["systemctl", "is-active", unit])).stdout.trim();
      // Where its system was left a moment ago, it is being started.
      if (state !== "active" && state !== "activating") problems.push(`${unit} is ${state}`);
    }
    return problems;
  }

  return {
    faults,
    wrong: (what) => void faults.push({ kind: "wrong", build: title, what }),
    async deploy(name, outcome, code) {
      for (const what of await judge(name, outcome, code)) {
        faults.push({
          kind: what.includes("no end") ? "endless" : "wrong",
          build: `${title}: ${name}`,
          what,
        });
      }
    },
  };
}
