import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Vitest begins with the largest files, so that the small ones of the faults, which take the longest and start the most processes, would come
 * last and all together. Here they are spread over the whole run, between files that leave them room.
 */
export class SpreadFaults extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isFault = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/test/faults/');
    const faults = sorted.filter(isFault);
    const others = sorted.filter((file) => !isFault(file));
    if (faults.length === 0) return others;
    // Whole numbers only: the last of them comes to all others.
    const othersBefore = (index: number): number => Math.floor((index * others.length) / faults.length);
    return faults.flatMap((file, index) => [file, ...others.slice(othersBefore(index), othersBefore(index + 1))]);
  }
}
