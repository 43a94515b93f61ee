/**
 * Those that are there just now, in no order; each knows its place by itself. Not a Set nor a Map: one that requests come
 * to and leave goes from one table to the next, and of those that it left the first that has grown old keeps all that came
 * after it, requests included, until all of the heap is collected.
 */
interface Crowd<Member> {
  readonly count: number;
  add(member: Member): void;
  /** @param at where it may be @returns who is there */
  at(at: number | undefined): Member | undefined;
  /** @returns whether the member was there */
  delete(member: Member, at: number): boolean;
  all(): readonly Member[];
}

/** @param place tells a member where it is from now on; -1: nowhere */
export function createCrowd<Member>(place: (member: Member, at: number) => void): Crowd<Member> {
  const members: (Member | undefined)[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(member) {
      place(member, count);
      members[count] = member;
      count += 1;
    },
    at: (at = -1) => members[at],
    delete(member, at) {
      if (members[at] !== member) return false;
      count -= 1;
      const last = members[count];
      members[count] = undefined;
      if (last !== undefined && last !== member) {
        members[at] = last;
        place(last, at);
      }
      place(member, -1);
      return true;
    },
    all: () => members.slice(0, count).filter((member) => member !== undefined),
  };
}
