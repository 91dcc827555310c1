/** Builds dist/: the server by tsc's output; the demo's browser code and the conformance runner as one file each. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
execFileSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
await import('./build-demo.js')
await build({
  entryPoints: ['conformance/main.ts'],
  outfile: 'dist/conformance/openrssp-conformance.js',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Only there for who signs in by browser.
  external: ['playwright-core'],
  // Some packages inside are CommonJS and ask for Node's own modules.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
