-- AlterTable
ALTER TABLE "SigningJob" ADD COLUMN "announcement" TEXT;
ALTER TABLE "SigningJob" ADD COLUMN "attempts" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "SigningJob" ADD COLUMN "announceAt" DATETIME;

-- CreateIndex
CREATE INDEX "SigningJob_announceAt_idx" ON "SigningJob"("announceAt");
