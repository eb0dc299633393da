// A reason against an order as the error of a command, with the exit code of its deploy code.
import { HomelabError, type ErrorKind } from "../../base/errors.ts";
import { deployCodes, type DeployCode } from "../../protocol/deploy/deploy-codes.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";

const kindOf = (code: DeployCode): ErrorKind => {
  switch (deployCodes[code]) {
    case exitCodes.usage:
      return "usage";
    case exitCodes.unavailable:
      return "unavailable";
    case exitCodes.refused:
      return "refused";
    case exitCodes.failed:
      return "failed";
  }
};

/** docs/reference/errors.md has a section for each code. */
export const refusalError = (
  { code, detail }: { readonly code: DeployCode; readonly detail: string },
  hint?: string,
): HomelabError =>
  new HomelabError(kindOf(code), detail, {
    code,
    hint: hint ?? `docs/reference/errors.md#${code.toLowerCase()} explains it`,
  });
