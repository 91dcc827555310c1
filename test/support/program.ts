import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

const FROM_SOURCE = ['--import', 'tsx', join(ROOT, 'src/cli.ts')]
const BUILT = [join(ROOT, 'dist/cli.js')]

/** How tests start the tool: as it was built, which is much faster, or from source when that is newer. */
export const PROGRAM = isBuilt() ? BUILT : FROM_SOURCE

/** The tool as people run it, built first where need be. */
export function builtProgram(): readonly string[] {
  if (PROGRAM === FROM_SOURCE) {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
    writeFileSync(join(ROOT, 'dist/.built'), '')
  }
  return BUILT
}

/** What the demo shows, from the sources as they are now. Nothing is written that others read, if it need not be. */
export function buildDemo(): void {
  if (PROGRAM === BUILT) return
  execFileSync('node', [join(ROOT, 'scripts/build-demo.js')], { cwd: ROOT })
}

/** The conformance runner, as it was built or from source in the same way. */
export function conformanceProgram(): readonly string[] {
  const built = join(ROOT, 'dist/conformance/openrssp-conformance.js')
  if (isUnchangedSince(timeOf(built), 'conformance')) return [built]
  const tsx = join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')
  return ['--import', tsx, join(ROOT, 'conformance/main.ts')]
}

function isBuilt(): boolean {
  const built = timeOf(join(ROOT, 'dist/.built'))
  return isUnchangedSince(built, 'src') && isUnchangedSince(built, 'prisma')
}

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Whether no file of the folder is newer. */
function isUnchangedSince(since: number, folder: string): boolean {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }).every(
    (entry) => !entry.isFile() || timeOf(join(entry.parentPath, entry.name)) <= since,
  )
}
