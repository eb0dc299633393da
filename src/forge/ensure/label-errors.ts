import { ForgeError } from "../http/forge-error.ts";

export const labelMissingError = (name: string): ForgeError =>
  new ForgeError("refused", `there is no label ${JSON.stringify(name)} on the forge`, {
    code: "FORGE_LABEL",
    hint: "create it, in the repository or in its organization",
  });

/** The forge said yes, and did not do it. */
export const labelStuckError = (name: string, specified: "on" | "off", number: number): ForgeError =>
  new ForgeError(
    "refused",
    `the label ${JSON.stringify(name)} did not ${specified === "on" ? "take" : "go"} on pull request ${number}`,
    { code: "FORGE_LABEL", hint: "check that the token's user may write issues and pull requests" },
  );
