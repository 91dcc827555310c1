import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
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

export function fileProblem(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) return `${file} does not exist`
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

export function emptyFileProblem(file: string): string | null {
  return readFileSync(file, 'utf8').trim() === '' ? `${file} is empty` : null
}

export function folderProblem(folder: string): string | null {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (!found) return `${folder} does not exist`
  return found.isDirectory() ? null : `${folder} is not a folder`
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
  return ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & bits) !== 0
}
