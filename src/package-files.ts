import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Whether this runs from source (tests, development), and not as built. */
export const FROM_SOURCE = import.meta.filename.endsWith('.ts')

/** The folder that this package is installed in. The build puts code into other files than it was written in. */
export const PACKAGE = folderWith('package.json', import.meta.dirname)

/**
 * URL of a module that is started by its name: in a thread, or in another process.
 * @param path below `src`, as imports name it: with `.js`
 */
export function moduleUrl(path: string): URL {
  return pathToFileURL(join(PACKAGE, FROM_SOURCE ? 'src' : 'dist', path))
}

function folderWith(name: string, start: string): string {
  let folder = start
  while (!existsSync(join(folder, name))) folder = dirname(folder)
  return folder
}
