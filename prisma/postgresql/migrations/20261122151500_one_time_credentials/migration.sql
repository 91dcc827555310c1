-- AlterTable
ALTER TABLE "Credential" ADD COLUMN     "endsAt" TIMESTAMP(3),
ADD COLUMN     "session" TEXT;

-- CreateIndex
CREATE INDEX "Credential_endsAt_idx" ON "Credential"("endsAt");
