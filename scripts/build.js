/** Builds dist/: the server by tsc's output, the demo's browser code as one file. */
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
execFileSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
await build({
  entryPoints: ['src/demo/browser/main.ts'],
  outfile: 'dist/demo/public/demo.js',
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  logLevel: 'warning',
})
cpSync('src/demo/public', 'dist/demo/public', { recursive: true })
