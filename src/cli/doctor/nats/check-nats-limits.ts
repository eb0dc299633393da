// Whether the server allows our account what homelab-deploy needs.
import { hasCode } from "../../../base/errors.ts";
import type { Connection } from "../../../bus/connect/connection.ts";
import {
  adviseLimits,
  decideLimits,
  describeLimit,
  fittingScale,
  type ServerLimits,
  type StreamNeeds,
} from "../../../bus/server/server-limits.ts";
import { checkLimits } from "../../../bus/server/setup.ts";
import { findingOf, ok, unknown, wrong, type Finding } from "../finding.ts";

const check = "NATS limits";

export async function checkNatsLimits(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const { limits, needs } = await checkLimits(connection, { signal });
    return judgeLimits(limits, needs);
  } catch (error) {
    // The check of the streams says it.
    if (hasCode(error, "JETSTREAM_MISSING", "NATS_NO_LEADER")) return [];
    return [findingOf(check, error)];
  }
}

export function judgeLimits(limits: ServerLimits, needs: StreamNeeds): readonly Finding[] {
  const problems = decideLimits(limits, needs);
  if (problems.length > 0) {
    const message = problems.map(describeLimit).join("; ");
    return [wrong(check, message, adviseLimits(problems, fittingScale(limits, needs)))];
  }
  if (limits.account === undefined) {
    return [
      unknown(
        check,
        "this key may not see the limits of its account",
        "run doctor with the key of an operator or a builder, or `nats setup --check` with the admin's",
      ),
    ];
  }
  return [ok(check, "those of the account are large enough")];
}
