import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { createProgram } from "../src/cli/program.ts";
import { manualPages } from "../src/cli/commands/setup/manual.ts";
import { commandPage } from "../src/cli/manual/command-page.ts";
import { configPage } from "../src/cli/manual/config-page.ts";
import { roffText } from "../src/cli/manual/roff.ts";
import { configSections } from "../src/config/markdown.ts";

const program = await createProgram(() => {}).whole();
const pages = {
  "homelab-deploy.1": commandPage(program, "1.2.3"),
  "homelab-deploy.json.5": configPage("1.2.3"),
};

/** For packages, scripts and units. */
const internalCommands = ["complete", "manual", "package", "work", "answer", "check-policy"];

test("homelab-deploy(1) has every command and every option that help shows", () => {
  const page = pages["homelab-deploy.1"];
  const commands = program.commands.flatMap((each) => (each.commands.length > 0 ? each.commands : [each]));
  const shown = commands.filter((each) => !internalCommands.includes(each.name()));
  expect(shown.length).toBeGreaterThan(12);
  for (const command of shown) {
    expect(page).toMatch(new RegExp(`^\\.SS "homelab\\\\-deploy .*\\b${command.name()}\\b`, "m"));
    for (const { flags } of command.options) expect(page).toContain(`\\fB${roffText(flags)}\\fR`);
  }
  expect(page).not.toContain("manual");
});

test("homelab-deploy.json(5) has every setting", () => {
  const names = configSections().flatMap(({ schema }) => Object.keys(schema.properties ?? {}));
  expect(names.length).toBeGreaterThan(40);
  for (const name of names) expect(pages["homelab-deploy.json.5"]).toContain(`\\fB${roffText(name)} (`);
});

test("text is never taken for a command of roff", () => {
  expect(roffText(".so /etc/passwd\n'br\na\\fB -x …")).toBe(
    "\\&.so /etc/passwd\n\\&'br\na\\efB \\-x \\[u2026]",
  );
});

test.for(manualPages)("%s renders without a warning", (name, { skip }) => {
  const groff = spawnSync("groff", ["-man", "-ww", "-Tutf8"], { input: pages[name], encoding: "utf8" });
  skip(groff.error !== undefined, "there is no groff to render it with");
  expect({ status: groff.status, warnings: groff.stderr }).toEqual({ status: 0, warnings: "" });
});
