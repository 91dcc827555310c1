import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { FROM_SOURCE, PACKAGE } from '../package-files.js'

const FOLDER = pathToFileURL(join(PACKAGE, 'node_modules/.cache/openrssp-isolated/'))
const made = new Map<string, Promise<string>>()

/**
 * URL under which an isolated process can load a module of ours. Compiled, that is the module. From
 * source (tests, development) it becomes one file of JavaScript: an isolated process cannot compile.
 */
export function loadable(module: string): Promise<string> {
  if (!FROM_SOURCE) return Promise.resolve(module)
  const known = made.get(module)
  if (known) return known
  const bundle = bundled(module)
  made.set(module, bundle)
  bundle.catch(() => made.delete(module))
  return bundle
}

async function bundled(module: string): Promise<string> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(module).replace(/\.js$/, '.ts')],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    write: false,
  })
  const contents = outputFiles[0]?.contents ?? ''
  const name = createHash('sha256').update(contents).digest('hex')
  const file = new URL(`${name}.mjs`, FOLDER)
  if (!existsSync(file)) {
    mkdirSync(FOLDER, { recursive: true })
    const part = new URL(`${name}.${process.pid}`, FOLDER)
    writeFileSync(part, contents)
    renameSync(part, file)
  }
  return pathToFileURL(fileURLToPath(file)).href
}
