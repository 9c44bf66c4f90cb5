// Only rules that find mistakes; layout is not checked.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", "target/**", "artifacts/**", "benches/peers/**"] },
  {
    files: ["**/*.ts", "**/*.tsx", "benches/**/*.mjs"],
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "no-restricted-syntax": ["error", {
        selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]",
        message: "Text from a camera or a server must never become markup.",
      }, {
        selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
        message: "Text from a camera or a server must never become markup.",
      }],
    },
  },
);
