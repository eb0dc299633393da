// Markdown as a forge reads it: CommonMark with GitHub's extensions.
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";

export interface MarkdownNode {
  readonly type: string;
  readonly value: string | undefined;
  readonly url: string | undefined;
}

/** All nodes of the tree, outermost first. */
export function markdownNodes(text: string): readonly MarkdownNode[] {
  const nodes: MarkdownNode[] = [];
  type Tree = ReturnType<typeof fromMarkdown>;
  function visit(node: Tree | Tree["children"][number]): void {
    nodes.push({
      type: node.type,
      value: "value" in node ? node.value : undefined,
      url: "url" in node ? node.url : undefined,
    });
    if ("children" in node) for (const child of node.children) visit(child);
  }
  visit(fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] }));
  return nodes;
}

/** The text outside of code: where a forge looks for mentions, references and links. */
export const proseOf = (text: string): string =>
  markdownNodes(text)
    .filter(({ type }) => type === "text" || type === "html")
    .map(({ value }) => value ?? "")
    .join("\n");
