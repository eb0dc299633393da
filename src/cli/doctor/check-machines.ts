// The remote builders of nix.conf: each has to build something.
import type { InstalledNix } from "../../nix/create-nix.ts";
import type { RemoteTrial } from "../../nix/realise/trial-build.ts";
import type { BuildPlaces, Machine } from "../../nix/settings/machines.ts";
import { ok, unknown, warning, wrong, type Finding } from "./finding.ts";

/** More of them would delay doctor. */
const mostTried = 16;

export async function checkMachines(
  { places, tryRemoteBuild }: Pick<InstalledNix, "places" | "tryRemoteBuild">,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const tried = places.machines.slice(0, mostTried);
  const left = places.machines.slice(mostTried);
  const trials = await Promise.all(
    tried.map(async (machine) => ({ machine, trial: await tryRemoteBuild(machine, signal) })),
  );
  const down = new Set(trials.flatMap(({ machine, trial }) => (trial.result === "failed" ? [machine] : [])));
  return [
    ...trials.map(({ machine, trial }) => judgeMachine(machine, trial, withoutMachines(places, down))),
    ...left.map(({ uri }) =>
      unknown(checkOf(uri), `not tried: there are more than ${mostTried}`, tryByHand(uri)),
    ),
  ];
}

/** @param rest what is left without the remote builders that do not work */
export function judgeMachine(
  { uri, systems, jobs }: Machine,
  trial: RemoteTrial,
  rest: BuildPlaces,
): Finding {
  const check = checkOf(uri);
  if (trial.result === "built")
    return ok(check, `builds for ${systems.join(" ")}, ${jobs} ${jobs === 1 ? "job" : "jobs"} at a time`);
  if (trial.result !== "failed")
    return unknown(
      check,
      "not tried: the Nix daemon lets only those whom it trusts choose where it builds",
      `run doctor once as root, or ${tryByHand(uri)}`,
    );
  const message = `cannot build there: ${trial.because}`;
  const elsewhere = [...rest.here, ...rest.machines.flatMap((machine) => machine.systems)];
  const alone = systems.filter((system) => !elsewhere.includes(system));
  const hint = `${tryByHand(uri)}; the user that builds is root where there is a Nix daemon. If it is gone for good, take it out of \`builders\` in nix.conf`;
  return alone.length === 0
    ? warning(check, message, hint)
    : wrong(check, `${message}; nothing else builds for ${alone.join(" ")}`, hint);
}

const withoutMachines = ({ here, machines }: BuildPlaces, gone: ReadonlySet<Machine>): BuildPlaces => ({
  here,
  machines: machines.filter((machine) => !gone.has(machine)),
});

const checkOf = (uri: string): string => `remote builder ${withoutQuery(uri)}`;

const withoutQuery = (uri: string): string => uri.replace(/\?.*/, "");

const tryByHand = (uri: string): string =>
  `try as the user that builds: nix store ping --store '${withoutQuery(uri)}'`;
