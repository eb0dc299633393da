// What the hosts' own modules warn of, each text once with the hosts that say it.
import type { BuildState, HostState } from "../../../protocol/build-state.ts";
import { hostLabelOf, hostList } from "../../../words/host-names.ts";
import { showCommand } from "../../../words/next-commands.ts";
import type { Style } from "../style.ts";

/** An inherited module can warn on every host of something that nobody there can fix. */
const mostWarnings = 10;
const mostLines = 5;

/** Lines that are safe to print. */
export function hostWarningLines(state: BuildState, style: Style): string[] {
  const label = hostLabelOf(state, style.clean);
  const said = [...state.hosts.values()].flatMap((host) => warningsOf(host).map((text) => ({ text, host })));
  const byText = [...Map.groupBy(said, ({ text }) => text)];
  const more = byText.length - mostWarnings;
  return [
    ...byText.slice(0, mostWarnings).flatMap(([text, hosts]) => {
      const [first = "", ...rest] = text.split("\n").map((line) => style.clean(line));
      const hidden = rest.length - mostLines + 1;
      return [
        `${style.yellow("warning:")} ${hostList(hosts.map(({ host }) => label(host)))}: ${first}`,
        ...(hidden > 0 ? [...rest.slice(0, mostLines - 1), style.glyphs.ellipsis] : rest).map(
          (line) => `  ${line}`,
        ),
      ];
    }),
    ...(more > 0
      ? [`${style.dim(style.glyphs.ellipsis)} ${more} more: ${style.cyan(`${showCommand(state.id)} --json`)}`]
      : []),
  ];
}

const warningsOf = ({ evaluated, finished }: HostState): readonly string[] => [
  ...new Set([...(evaluated?.warnings ?? []), ...(finished?.warnings ?? [])]),
];
