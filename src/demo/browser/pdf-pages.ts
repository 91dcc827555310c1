/* Loaded only when there is a PDF to be looked at; a file of its own for that reason. */
import {
  getDocument,
  GlobalWorkerOptions,
  PermissionFlag,
  type RenderTask,
} from 'pdfjs-dist/legacy/build/pdf.mjs'
import type { Bytes } from './encoding.js'
import { millimetres, type PageSize } from './placement.js'

export interface OpenPdf {
  readonly pages: number
  /** Whether its author allows no changes, which a new signature field is one of. */
  readonly isProtected: boolean
  sizeOf(page: number): Promise<PageSize>
  /** Only the last page asked for is drawn to the end. @param width in pixels of the screen */
  draw(page: number, canvas: HTMLCanvasElement, width: number): Promise<void>
  close(): Promise<void>
}

export function needsPassword(error: unknown): boolean {
  return error instanceof Error && error.name === 'PasswordException'
}

/** Nothing in the document is executed, and nothing outside of it is fetched. */
export async function openPdf(content: Bytes): Promise<OpenPdf> {
  GlobalWorkerOptions.workerSrc = new URL('pdf.worker.js', import.meta.url).href
  const loading = getDocument({
    // It is taken away by the worker.
    data: content.slice(),
    isEvalSupported: false,
    enableXfa: false,
    useWasm: false,
    verbosity: 0,
  })
  const document = await loading.promise
  const permissions = await document.getPermissions()
  const isAllowed = (one: number) => permissions?.includes(one) ?? true
  let wanted = 0
  let drawing: RenderTask | null = null
  return {
    pages: document.numPages,
    isProtected: !(
      isAllowed(PermissionFlag.MODIFY_CONTENTS) && isAllowed(PermissionFlag.MODIFY_ANNOTATIONS)
    ),
    async sizeOf(page) {
      const { width, height } = (await document.getPage(page)).getViewport({ scale: 1 })
      return { width: millimetres(width), height: millimetres(height) }
    },
    async draw(number, canvas, width) {
      const turn = ++wanted
      const page = await document.getPage(number)
      drawing?.cancel()
      await drawing?.promise.catch(() => undefined)
      if (turn !== wanted) return
      const scale = (width * devicePixelRatio) / page.getViewport({ scale: 1 }).width
      const viewport = page.getViewport({ scale })
      canvas.width = Math.floor(viewport.width)
      canvas.height = Math.floor(viewport.height)
      drawing = page.render({ canvas, viewport })
      await drawing.promise
    },
    close: () => loading.destroy(),
  }
}
