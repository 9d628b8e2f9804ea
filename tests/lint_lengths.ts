/**
 * A lint rule for lengths: files of 400 lines, classes of 200, functions of 60; tests and benchmarks are files of 500
 * and else free. What is longer says why in its first comment: `Long because ...`.
 */
const MAX_FILE = 400;
const MAX_TEST_FILE = 500;
const MAX_CLASS = 200;
const MAX_FUNCTION = 60;

const ROOT = new URL("..", import.meta.url).pathname;

function isExcused(comment: { value: string } | undefined): boolean {
  return comment !== undefined && /^[*\s]*Long because /.test(comment.value);
}

/** What a function's or a class's comment stands in front of. */
function statementOf(node: Deno.lint.Node): Deno.lint.Node {
  const { parent } = node as { parent?: Deno.lint.Node };
  const isOuter = parent !== undefined && /^(?:Method|Property|Variable|Export)/.test(parent.type);
  return isOuter ? statementOf(parent) : node;
}

function create(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const { sourceCode, filename } = context;
  const file = filename.replace(ROOT, "");
  const isTest = /^(?:tests|bench)\//.test(file);

  const check = (what: string, max: number, node: Deno.lint.Node) => {
    const lines = sourceCode.text.slice(...node.range).split("\n").length;
    if (lines <= max) return;
    if (isExcused(sourceCode.getCommentsBefore(statementOf(node)).at(-1))) return;
    context.report({ node, message: `${what} of ${lines} lines, at most ${max} are allowed` });
  };
  const checkFunction = (node: Deno.lint.Node) => check("a function", MAX_FUNCTION, node);
  const checkClass = (node: Deno.lint.Node) => check("a class", MAX_CLASS, node);
  return {
    Program(node) {
      const lines = sourceCode.text.trimEnd().split("\n").length;
      const max = isTest ? MAX_TEST_FILE : MAX_FILE;
      if (lines <= max || isExcused(sourceCode.getAllComments()[0])) return;
      context.report({ node, message: `a file of ${lines} lines, at most ${max} are allowed` });
    },
    ...(!isTest && {
      ArrowFunctionExpression: checkFunction,
      ClassDeclaration: checkClass,
      ClassExpression: checkClass,
      FunctionDeclaration: checkFunction,
      FunctionExpression: checkFunction,
    }),
  };
}

export default { name: "lengths", rules: { lengths: { create } } } satisfies Deno.lint.Plugin;
