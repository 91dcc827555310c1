import { UnfitDocumentError } from '../../errors.js'
import { CONTAINER_MEDIA_TYPES, type ContainerType } from './container-type.js'
import { readZip, writeZip, type ZipEntry } from './zip.js'

/** The files of a container in order, without its `mimetype`. */
export interface Container {
  readonly type: ContainerType
  readonly files: readonly ZipEntry[]
}

const MIMETYPE = 'mimetype'
const META_INF = 'META-INF/'

/** What is signed: everything outside of META-INF. */
export function dataFiles({ files }: Container): ZipEntry[] {
  return files.filter(({ name }) => !isMeta(name))
}

export function fileNamed({ files }: Container, name: string): ZipEntry | null {
  return files.find((file) => file.name === name) ?? null
}

/** The container with these files, which take the places of those of the same names. */
export function withFiles(container: Container, files: readonly ZipEntry[]): Container {
  const names = new Set(files.map(({ name }) => name))
  const kept = container.files.filter(({ name }) => !names.has(name))
  return { ...container, files: [...kept, ...files] }
}

/** `META-INF/` and the stem with a number that no file there has yet. */
export function numberedName({ files }: Container, stem: string, extension: string): string {
  const taken = new Set(files.map(({ name }) => name.toLowerCase()))
  for (let number = 1; ; number += 1) {
    const name = `${META_INF}${stem}${String(number).padStart(3, '0')}.${extension}`
    if (!taken.has(name.toLowerCase())) return name
  }
}

/** @param modified what its files have for their time */
export function writeContainer({ type, files }: Container, modified: Date): Promise<Buffer> {
  const mimetype = { name: MIMETYPE, bytes: Buffer.from(CONTAINER_MEDIA_TYPES[type]) }
  return writeZip([mimetype, ...files], modified)
}

/** @throws {UnfitDocumentError} when it is no container of that type, or a harmful one */
export async function readContainer(archive: Buffer, type: ContainerType): Promise<Container> {
  const [first, ...files] = await readZip(archive).catch((cause: unknown) => {
    throw new UnfitDocumentError(`The document is no ${type} container`, { cause })
  })
  const isOfType =
    first?.name === MIMETYPE && first.bytes.toString().trim() === CONTAINER_MEDIA_TYPES[type]
  if (!isOfType) throw new UnfitDocumentError(`The document is no ${type} container`)
  return { type, files }
}

const UNSAFE = /[\p{Cc}\\:*?"<>|]|^[/]|(?:^|[/])\.{0,2}(?:[/]|$)/u
const LONGEST_NAME = 200

/**
 * @throws {UnfitDocumentError} for paths that would lead out of a container or collide with its own files,
 * and for folders in an ASiC-S one: its file stands at the root (EN 319 162-1, 4.3.3.1)
 */
export function rejectUnfitName(name: string, type: ContainerType): void {
  const isOwn = isMeta(name) || name.toLowerCase() === MIMETYPE
  if (UNSAFE.test(name) || isOwn || name.length > LONGEST_NAME) {
    throw new UnfitDocumentError('A container takes no file of the name that referenceUri gives')
  }
  if (type === 'ASiC-S' && name.includes('/')) {
    throw new UnfitDocumentError('The file of an ASiC-S container stands in no folder')
  }
}

function isMeta(name: string): boolean {
  return name.toLowerCase().startsWith(META_INF.toLowerCase())
}
