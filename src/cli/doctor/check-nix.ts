// Nix on this machine, for machines that build.
import { silentLog } from "../../base/log.ts";
import { createNix, type InstalledNix } from "../../nix/create-nix.ts";
import type { InputAccess } from "../../nix/input-access.ts";
import { makeBuildUsers } from "../../nix/settings/build-users.ts";
import { readBuildUser, type BuildUser } from "../../nix/settings/build-user.ts";
import { unsafeSettings } from "../../nix/settings/unsafe-settings.ts";
import type { Exec } from "../../process/exec.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Context } from "../context.ts";
import { checkMachines } from "./check-machines.ts";
import { checkVersion } from "./known-holes.ts";
import { findingOf, isWrong, ok, warning, wrong, type Finding } from "./finding.ts";

export interface NixParts extends Pick<Context, "environment" | "clock"> {
  readonly exec: Exec;
  /** Ours alone, for Nix's home. */
  readonly directory: string;
  readonly inputAccess: InputAccess;
}

export interface NixCheck {
  /** Undefined when it does not work. */
  readonly nix: InstalledNix | undefined;
  readonly findings: readonly Finding[];
  /** Whether it has built something. */
  readonly builds: boolean;
  readonly built?: StorePath;
}

export async function checkNix(
  { environment, clock, exec, directory, inputAccess }: NixParts,
  signal: AbortSignal,
): Promise<NixCheck> {
  try {
    const nix = await createNix(
      { exec, environment, stateDirectory: directory, inputAccess, clock, log: silentLog },
      signal,
    );
    const { use, dead } = await nix.probeSubstituters(signal);
    const effect =
      use?.length === 0
        ? "while all are down, hosts that need one wait (builder.build.withoutSubstituters)"
        : "builds leave it out";
    const users = judgeBuildUsers(nix);
    const build = isWrong(users) ? undefined : await tryBuild(nix, signal);
    const findings = [
      ok("Nix", `Nix ${nix.version} builds for ${nix.systems.join(" ") || "no system"}`),
      ...checkVersion("Nix", nix.version),
      ...judgeSettings(nix, await readBuildUser(exec, environment, signal)),
      users,
      ...(build === undefined ? [] : [build.finding]),
      ...(await checkMachines(nix, signal)),
      ...dead.map(({ url, reason }) =>
        warning(`substituter ${url}`, reason, `${effect}; remove it from nix.conf if it no longer exists`),
      ),
    ];
    return { nix, findings, builds: build?.finding.state === "ok", built: build?.path };
  } catch (error) {
    signal.throwIfAborted();
    return { nix: undefined, findings: [findingOf("Nix", error)], builds: false };
  }
}

async function tryBuild(
  nix: Pick<InstalledNix, "tryBuild">,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly path?: StorePath }> {
  const check = "trial build";
  try {
    const path = await nix.tryBuild(signal);
    return { finding: ok(check, "the smallest build was built"), path };
  } catch (error) {
    signal.throwIfAborted();
    return { finding: findingOf(check, error) };
  }
}

function judgeSettings(
  {
    settings,
    ignoredSettings,
    version,
    systems,
  }: Pick<InstalledNix, "settings" | "ignoredSettings" | "version" | "systems">,
  user: BuildUser,
): readonly Finding[] {
  const ignored = ignoredSettings.map(({ name, meant }) =>
    warning(
      `nix.conf ${name}`,
      `Nix ${version} does not know this setting and ignores it`,
      `${meant === undefined ? "" : `did you mean ${meant}? `}Correct nix.conf, or remove the line`,
    ),
  );
  const unsafe = unsafeSettings(settings, user);
  if (unsafe.length === 0) return [ok("nix.conf", "nothing unsafe is set"), ...ignored];
  const risks = unsafe.map(({ setting, is, severity, because, instead }) => {
    const isBuiltNowhere = setting === "max-jobs" && systems.length === 0;
    return {
      check: `nix.conf ${setting}`,
      state: isBuiltNowhere ? "wrong" : severity,
      message: `is ${is === "" ? "empty" : is}: ${because}${isBuiltNowhere ? ", and there is no remote builder" : ""}`,
      hint: `write into nix.conf: ${instead}`,
    } satisfies Finding;
  });
  return [...risks, ...ignored];
}

export function judgeBuildUsers({
  missingBuildUsers: missing,
}: Pick<InstalledNix, "missingBuildUsers">): Finding {
  const check = "build users";
  if (missing === undefined) return ok(check, "builds run as the users that they should");
  const { group, problem, builds } = missing;
  const why = `the group ${group}, which build-users-group in nix.conf names, ${problem}`;
  const hint = `as root: ${makeBuildUsers(group)}`;
  return builds === "root"
    ? warning(check, `builds run as root: ${why}`, hint)
    : wrong(check, `the Nix daemon cannot build: ${why}`, hint);
}
