// Files of systemd: a list is a line for each of its elements.

type Value = string | number | boolean;
export type UnitSection = Readonly<Record<string, Value | readonly Value[]>>;

export interface UnitFile {
  /** `homelab-deploy-builder.service` */
  readonly name: string;
  readonly sections: Readonly<Record<string, UnitSection>>;
}

export const unitText = ({ sections }: UnitFile): string =>
  Object.entries(sections)
    .map(([name, section]) =>
      [`[${name}]`, ...Object.entries(section).flatMap(([key, value]) => linesOf(key, value)), ""].join("\n"),
    )
    .join("\n");

const linesOf = (key: string, value: Value | readonly Value[]): readonly string[] =>
  (Array.isArray(value) ? value : [value]).map((each: Value) => `${key}=${String(each)}`);
