import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { BuildId } from "../../protocol/names.ts";
import type { Context } from "../context.ts";
import { decideFailed } from "./decide-failed.ts";
import { decideRequest, type Asked, type BuildSpecification } from "./decide-request.ts";
import { findBuild, readBuild } from "../../fleet/find-build.ts";

export interface FailedBuild {
  readonly build: BuildId;
  /** Undefined where nothing failed. */
  readonly asked: Asked | undefined;
}

/**
 * What failed in an earlier build, as a request.
 *
 * @param reference that build, as a person names it; without it the newest that a builder accepted
 */
export async function askForFailed(
  context: Pick<Context, "environment" | "clock">,
  reader: BuildReader,
  reference: string | undefined,
  options: BuildSpecification,
  signal: AbortSignal,
): Promise<FailedBuild> {
  const [build] =
    reference === undefined
      ? await reader.acceptedBuilds(1, signal)
      : [await findBuild(reader, reference, signal)];
  if (build === undefined) {
    throw new HomelabError("usage", "there is no build yet", {
      code: "UNKNOWN_BUILD",
      hint: "build something first: homelab-deploy build --all",
    });
  }
  const failed = decideFailed(await readBuild(reader, build, signal), options.repo);
  if (failed === undefined) return { build, asked: undefined };
  const { target, request } = decideRequest(failed.hosts, { ...options, ...failed.specification }, context);
  return { build, asked: { target, request: { ...request, overrides: failed.overrides } } };
}
