/**
 * Builds dist/: the server, in few files; the demo's browser code; the conformance runner as one file.
 * Types are not looked at here (npm run typecheck).
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { build, transform } from 'esbuild'
import { tsImport } from 'tsx/esm/api'

/** Native, or with files of their own that they look for beside themselves. */
const LEFT_WHERE_THEY_ARE = [
  ...['@napi-rs/canvas', 'better-sqlite3', 'koffi', 'pkcs11js'],
  ...['libxml2-wasm', 'pdfjs-dist'],
]
/** Asked for only from source, or only where somebody installed it. */
const NOT_THERE = ['esbuild', 'pg-native']

const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Some packages inside are CommonJS and ask for Node's own modules.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  logLevel: 'warning',
}

/** Lines of dependencies are theirs as installed: a map of our own code is read in no time. */
const ownLinesOnly = {
  name: 'own-lines-only',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${EMPTY_MAP}`,
      loader: 'default',
    }))
  },
}
const EMPTY_MAP = btoa('{"version":3,"sources":[""],"mappings":"AAAA"}')

/**
 * Our objects are put together from others, which costs at every call: where these are literals, they are
 * written as one. Code of others stays as it is: some of it goes by the names of its classes.
 */
const objectsInOne = {
  name: 'objects-in-one',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.tsx?$/ }, async ({ path }) => {
      const loader = path.endsWith('x') ? 'tsx' : 'ts'
      const { code } = await transform(readFileSync(path, 'utf8'), {
        ...{ loader, target: common.target, tsconfigRaw: { compilerOptions: JSX } },
        ...{ minifySyntax: true, sourcemap: 'inline', sourcefile: path },
      })
      return { contents: code, loader: 'js' }
    })
  },
}
const JSX = { jsx: 'react-jsx', jsxImportSource: 'preact', verbatimModuleSyntax: true }

/** What ajv makes of the configuration's schema takes longer to make than everything else at a start. */
const compiledShape = {
  name: 'compiled-shape',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/config\/shape\.ts$/ }, async ({ path }) => {
      const { ajv, hasShape } = await tsImport(path, import.meta.url)
      const contents = `${standaloneCode.default(ajv, hasShape)}\nexport { validate as hasShape }`
      return { contents, loader: 'js', resolveDir: dirname(path) }
    })
  },
}

rmSync('dist', { recursive: true, force: true })
await import('./build-demo.js')
await build({
  ...common,
  entryPoints: ['src/cli.ts', ...startedByName()],
  outbase: 'src',
  outdir: 'dist',
  // Whatever two of them need is there once, and what is imported late is loaded late.
  splitting: true,
  chunkNames: 'parts/[name]-[hash]',
  external: [...LEFT_WHERE_THEY_ARE, ...NOT_THERE],
  sourcemap: true,
  sourcesContent: false,
  plugins: [ownLinesOnly, compiledShape, objectsInOne],
})
await build({
  ...common,
  entryPoints: ['conformance/main.ts'],
  outfile: 'dist/conformance/openrssp-conformance.js',
  // The first is only there for who signs in by browser.
  external: ['playwright-core', 'libxml2-wasm'],
})

/** Modules that run in processes and threads of their own keep their names (src/package-files.ts). */
function startedByName() {
  const sources = readdirSync('src', { recursive: true }).filter((path) => /\.tsx?$/.test(path))
  const named = sources.flatMap((path) => {
    const text = readFileSync(join('src', path), 'utf8')
    return [...text.matchAll(/moduleUrl\(\s*['`]([\w/-]+)\./g)].map(([, name]) => `src/${name}.ts`)
  })
  return [...new Set(named)]
}
