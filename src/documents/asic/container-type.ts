/** Associated signature containers: around one document (S), or around any number (E). */
export type ContainerType = 'ASiC-S' | 'ASiC-E'

export const CONTAINER_TYPES: readonly ContainerType[] = ['ASiC-S', 'ASiC-E']

/** @see EN 319 162-1, A.1 */
export const CONTAINER_MEDIA_TYPES: Readonly<Record<ContainerType, string>> = {
  'ASiC-S': 'application/vnd.etsi.asic-s+zip',
  'ASiC-E': 'application/vnd.etsi.asic-e+zip',
}
