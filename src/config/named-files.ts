import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  statSync,
  type Stats,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileOf, isPostgresql } from './database-url.js'
import { pemCertificates } from './pem-certificates.js'

/*
 * Files that settings name, from the folder of the configuration, and what is wrong with them; null for nothing.
 */

export function absolute(path: string, folder: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}

/** Null for a database that is not a file. */
export function databaseFile(url: string, folder: string): string | null {
  return isPostgresql(url) ? null : absolute(fileOf(url), folder)
}

/** What is there; in words, when nothing is, or nothing that we may look at. */
function look(path: string): Stats | string {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? `${path} does not exist`
  } catch (error) {
    return `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`
  }
}

export function fileProblem(file: string): string | null {
  const found = look(file)
  if (typeof found === 'string') return found
  if (!found.isFile()) return `${file} is not a file`
  return isReadable(file) ? null : `${file} cannot be read`
}

export function secretFileProblem(file: string): string | null {
  const problem = fileProblem(file)
  if (problem !== null) return problem
  return (statSync(file).mode & 0o077) === 0
    ? null
    : `${file} can be read by others; run chmod 600 on it`
}

const WHITE_SPACE = Buffer.from(' \t\r\n')

/** Leaves nothing of the file in memory: of secrets for others, this process is not to know more (S81). */
export function emptyFileProblem(file: string): string | null {
  const bytes = readFileSync(file)
  const isEmpty = bytes.every((byte) => WHITE_SPACE.includes(byte))
  bytes.fill(0)
  return isEmpty ? `${file} is empty` : null
}

function folderProblem(folder: string): string | null {
  const found = look(folder)
  if (typeof found === 'string') return found
  return found.isDirectory() ? null : `${folder} is not a folder`
}

/** Of a file that is made when it is not there yet. */
export function ownFileProblem(file: string): string | null {
  const problem = folderProblem(dirname(file))
  if (problem !== null) return problem
  const found = look(file)
  return typeof found === 'string' || found.isFile() ? null : `${file} is not a file`
}

const SQLITE = 'SQLite format 3\0'

export function databaseFileProblem(file: string): string | null {
  const problem = ownFileProblem(file)
  if (problem !== null || !isReadable(file)) return problem
  const start = startOf(file, SQLITE.length)
  return start === '' || start === SQLITE ? null : `${file} is not an SQLite database`
}

function startOf(file: string, length: number): string {
  const descriptor = openSync(file, 'r')
  try {
    const start = Buffer.alloc(length)
    return start.toString('latin1', 0, readSync(descriptor, start, 0, length, 0))
  } finally {
    closeSync(descriptor)
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

export function certificatesProblem(file: string): string | null {
  const problem = fileProblem(file)
  if (problem !== null) return problem
  try {
    return pemCertificates(readFileSync(file, 'utf8')).length > 0
      ? null
      : `${file} holds no certificate`
  } catch {
    return `${file} holds a certificate that cannot be read`
  }
}

export function isOpenToOthers(file: string, bits: number): boolean {
  const found = look(file)
  return typeof found !== 'string' && (found.mode & bits) !== 0
}
