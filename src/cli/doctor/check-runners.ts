// Whether the workflows of a repository have a runner: a job without one waits forever, and nobody says so.
import { openForgeHttp, type ForgeParts, type ForgeSettings } from "../../forge/create-forge.ts";
import { readActions, type ActionsFacts } from "../../forge/gitea/actions.ts";
import type { BranchName } from "../../protocol/names.ts";
import { messageOf } from "../../base/errors.ts";
import { ok, unknown, warning, wrong, type Finding } from "./finding.ts";

/** Only Gitea reports this. Problems of the forge itself are reported elsewhere. */
export async function checkRunners(
  repo: string,
  settings: ForgeSettings,
  branch: BranchName,
  parts: ForgeParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (settings.kind !== "gitea") return [];
  try {
    const http = openForgeHttp(settings, parts);
    return judgeRunners(repo, await readActions(http, { ...settings, branch }, signal));
  } catch (error) {
    signal.throwIfAborted();
    const advice = "look at the runners in the settings of the repository";
    return [unknown(`runners of ${repo}`, messageOf(error), advice)];
  }
}

export function judgeRunners(
  repo: string,
  { runners, isComplete, wanted }: ActionsFacts,
): readonly Finding[] {
  const check = `runners of ${repo}`;
  return [
    ...runners.flatMap(({ name, labels }) =>
      labels
        .filter((label) => label.includes(":"))
        .map((label) => {
          const advice = `register the runner with the name alone: ${label.split(":")[0]}`;
          return warning(check, `${name} has the label ${label}, which no workflow means`, advice);
        }),
    ),
    ...wanted.flatMap(({ workflow, labels }): readonly Finding[] => {
      const job = `${workflow} runs on ${labels.join(" and ")}`;
      const able = runners.filter((runner) => labels.every((label) => runner.labels.includes(label)));
      if (able.some(({ isOnline }) => isOnline)) return [ok(check, `${job}: there is a runner`)];
      if (able.length > 0) {
        const names = able.map(({ name }) => name).join(", ");
        return [wrong(check, `${job}, and ${names} is offline: the job waits`, `start the runner ${names}`)];
      }
      const advice = `register a runner with the label ${labels.join(",")}, or change runs-on in the workflow`;
      if (isComplete)
        return [wrong(check, `${job}, and no runner has that label: the job waits forever`, advice)];
      return runners.length > 0
        ? [warning(check, `${job}, and no runner that this token sees has that label`, advice)]
        : [
            unknown(
              check,
              `${job}, and this token sees no runners`,
              `look at the runners in the settings of the repository; ${advice}`,
            ),
          ];
    }),
  ];
}
