// The roles that request builds: people, who also sign orders to hosts, and pipelines.
import type { Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { commandOf, configFile, keyPath, natsSettings } from "./config-file.ts";

export const orderKey = "order.seed";

export const operatorName = (operator: string): string => `operator-${operator}`;

export function operatorPart(plan: Plan, operator: string): Part {
  const name = operatorName(operator);
  return {
    ...asking(plan, name, { role: "operator", name: operator }),
    goesTo: `${operator}, on each machine where ${operator} types commands`,
    holds: "a configuration, the key of NATS, and the key that signs orders to hosts",
    signingKey: orderKey,
    proofs: [
      { command: commandOf(plan, name, "doctor"), expects: "no line begins with ✗" },
      { command: commandOf(plan, name, "build", "--all"), expects: "every host is built" },
    ],
  };
}

export function ciPart(plan: Plan, ci: string): Part {
  const name = `ci-${ci}`;
  return {
    ...asking(plan, name, { role: "ci", name: ci }),
    goesTo: `the secrets of the pipeline ${ci}`,
    holds: "a configuration and the key of NATS",
    proofs: [{ command: commandOf(plan, name, "builds", "list"), expects: "it exits with 0" }],
  };
}

type Asking = Pick<Part, "name" | "identity" | "files">;

function asking(plan: Plan, name: string, identity: NonNullable<Part["identity"]>): Asking {
  const { cache } = plan;
  return {
    name,
    identity,
    files: () => [
      configFile({
        nats: natsSettings(plan, identity, keyPath(plan, name)),
        ...(cache === undefined ? {} : { cache }),
      }),
    ],
  };
}
