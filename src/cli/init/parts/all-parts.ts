// Every part of an installation, in the order in which they are set up. A new role has a file here and a line below.
import type { Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { adminPart } from "./admin.ts";
import { builderPart } from "./builder.ts";
import { dashboardPart } from "./dashboard.ts";
import { hostPart } from "./host.ts";
import { natsServerPart } from "./nats-server.ts";
import { ciPart, operatorPart } from "./people.ts";
import { updaterPart } from "./updater.ts";

export function partsOf(plan: Plan): readonly Part[] {
  const { builders, people, hosts } = plan;
  const signingIn = [
    adminPart(plan),
    ...builders.map((name) => builderPart(plan, name)),
    ...people.operator.map((name) => operatorPart(plan, name)),
    ...people.ci.map((name) => ciPart(plan, name)),
    ...people.dashboard.map((name) => dashboardPart(plan, name)),
    ...people.updater.map((name) => updaterPart(plan, name)),
    ...hosts.map((host) => hostPart(plan, host)),
  ];
  return [natsServerPart(plan, signingIn), ...signingIn];
}
