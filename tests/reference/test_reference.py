"""Names, commands and calculators become references; what cannot be labelled is refused by name."""

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones

from electrolyte_ml import reference
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.reference import Label, LabelError, LabelStore, Reference
from electrolyte_ml.structures.charge import total_charge


class Silent(Calculator):
    """A calculator that nothing identifies."""

    implemented_properties = ("energy", "forces")

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results = {"energy": 1.0, "forces": np.zeros((len(self.atoms), 3))}


def argon(distance=3.8):
    return Atoms("Ar2", [[0, 0, 0], [0, 0, distance]])


def test_the_default_is_gfn1():
    assert reference.get().name == "GFN1-xTB"
    assert reference.get("GFN2-xTB").name == "GFN2-xTB"


def test_a_reference_is_itself():
    gfn1 = reference.get()
    assert reference.get(gfn1) is gfn1
    with pytest.raises(InputError, match="already a reference"):
        reference.get(gfn1, accuracy=2)


def test_an_ase_calculator_by_name_has_its_numbers():
    lj = reference.get("lj", epsilon=0.01, sigma=3.4, rc=10.0)
    label = lj.label(argon())

    def energy(r):
        return 4 * 0.01 * ((3.4 / r) ** 12 - (3.4 / r) ** 6)

    assert label.energy == pytest.approx(energy(3.8) - energy(10.0))  # ASE shifts it to zero at rc
    slope = (energy(3.8 + 1e-5) - energy(3.8 - 1e-5)) / 2e-5
    assert label.forces[1, 2] == pytest.approx(-slope, rel=1e-6)
    assert label.stress is None
    assert lj.key["settings"]["sigma"] == 3.4
    assert lj.key != reference.get("lj", epsilon=0.01, sigma=3.5, rc=10.0).key


def test_an_ase_calculator_object():
    assert reference.get(LennardJones(sigma=3.4), name="LJ").key["settings"]["sigma"] == 3.4
    assert reference.get("emt").label(bulk("Cu", cubic=True)).stress.shape == (6,)


def test_a_calculator_without_identity_is_refused_until_one_is_given():
    with pytest.raises(InputError, match="Silent has no parameters that identify its labels"):
        reference.get(Silent())
    silent = reference.get(Silent(), name="nothing", model="sha256:1")
    assert silent.key["settings"]["model"] == "sha256:1"
    with pytest.raises(InputError, match="cannot be written as JSON"):
        reference.get(Silent(), model=object())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gfn1", "did you mean 'gfn1-xtb'"),
        ("cp2k-pbe", "did you mean 'cp2k-pbe-d3'"),
        ("", "presets are gfn1-xtb"),
        (7, "not 7"),
        ("command:", "no {input}"),
        ("command:dft {input}.extxyz", "no {output}"),
        ("command:no_such_dft {input}.extxyz {output}.extxyz", "no program 'no_such_dft'"),
        ("command:'dft {input} {output}", "No closing quotation"),
    ],
)
def test_what_is_no_reference(name, message):
    with pytest.raises(InputError, match=message) as caught:
        reference.get(name)
    assert "\n" not in str(caught.value)


def test_unknown_settings_and_senseless_ones():
    with pytest.raises(InputError, match="no setting 'acuracy'; it has accuracy"):
        reference.get(acuracy=1.0)
    for value in (0, -1.0, float("nan"), "1", True):
        with pytest.raises(InputError, match="must be a positive number"):
            reference.get(accuracy=value)
    with pytest.raises(InputError, match="a command has no setting 'cutoff'; it has name, version"):
        reference.get("command:dft {input} {output}", cutoff=900)
    with pytest.raises(InputError, match="lj.*cannot be set up"):
        reference.get("lj", sigma={}).label(argon())


CELL = {"cell": [4, 4, 4], "pbc": True}


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "configuration 2: no atoms"),
        (Atoms("CO", [[0, 0, 0], [0, 0, np.nan]]), r"configuration 2: the position of atom 2 \(O\) is not finite"),
        (Atoms("CO", [[0, 0, 0], [0, 0, 0.3]]), r"atoms 1 \(C\) and 2 \(O\) overlap, 0.300 Å apart"),
        (Atoms("CO", [[0.1, 0, 0], [3.9, 0, 0]], **CELL), r"atoms 1 \(C\) and 2 \(O\) overlap, 0.200 Å apart"),
        (Atoms("CO", [[1, 1, 1], [13.1, 5, -3]], **CELL), "overlap, 0.100 Å apart"),
        (Atoms("XO", [[0, 0, 0], [0, 0, 1]]), "atom 1 has no element"),
        (Atoms("C", pbc=True), "periodic along cell vector 1, which is zero"),
        (Atoms("C", cell=[4, 4, 0], pbc=[1, 1, 1]), "cell vector 3, which is zero"),
        (Atoms("C", cell=[[4, 0, 0], [0, 4, 0], [4, 4, 0]], pbc=True), "lie in a plane"),
        (Atoms("C", cell=[4, np.inf, 4], pbc=True), "the cell is not finite"),
        (Atoms("C", cell=[4, 4, 0.3], pbc=True), "only 0.3 Å wide across cell vector 3"),
        (Atoms("C", info={"charge": 0.5}), "not a whole number"),
        (Atoms("C", info={"charge": "much"}), "is not a number"),
    ],
)
def test_bad_configurations_are_named(atoms, message):
    with pytest.raises(InputError, match=message):
        reference.get().check(atoms, "configuration 2")


def test_good_configurations_pass():
    check = reference.get().check
    check(Atoms("C"))
    check(Atoms("H2", [[0, 0, 0], [0, 0, 0.6]]))
    check(Atoms("CO", [[0, 0, 0], [0, 0, 3.9]], cell=[4, 4, 4]))  # not periodic: the image does not count
    check(Atoms("C", cell=[1.5, 1.5, 1.5], pbc=True))


def test_the_total_charge():
    assert total_charge(Atoms("PF6", np.eye(7, 3), info={"charge": -1})) == -1
    assert total_charge(Atoms("Li", charges=[1])) == 1
    assert total_charge(Atoms("Li")) == 0


class Broken(Reference):
    name, version, settings = "broken", "1", {}
    safer = {"mixing": 0.1}  # noqa: RUF012

    def __init__(self, *labels):
        self.labels = list(labels)
        self.asked = []

    def _compute(self, atoms, safer):
        self.asked.append(dict(safer))
        label = self.labels.pop(0)
        if isinstance(label, str):
            raise LabelError(label)
        return label


GOOD = Label(1.0, np.zeros((2, 3)), None)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (Label(np.nan, np.zeros((2, 3)), None), "energy is nan"),
        (Label(1.0, np.zeros((3, 3)), None), r"shape \(3, 3\) for 2 atoms"),
        (Label(1.0, np.array([[0, 0, 0], [0, np.inf, 0]]), None), "force on atom 2"),
        (Label(1.0, np.zeros((2, 3)), np.full(6, np.nan)), "stress is not finite"),
        (Label(1.0, np.zeros((2, 3)), np.zeros(3)), "stress of shape"),
        ("SCF not converged", "SCF not converged"),
    ],
)
def test_a_bad_label_is_an_error_and_is_tried_once_more(label, message):
    broken = Broken(label, label, GOOD)
    with pytest.raises(LabelError, match=message):
        broken.label(argon())
    assert broken.asked == [{}, {"mixing": 0.1}]
    healed = Broken(label, GOOD)
    assert healed.label(argon()).attempts == 2


def test_an_impossible_label_of_a_converged_calculation_is_not_computed_again():
    """Forces on a grid that is too coarse do not sum to zero, whichever way the density converges."""
    torn = Label(1.0, np.array([[0, 0, 0], [0, 0, 2.0]]), None)
    broken = Broken(torn, GOOD)
    with pytest.raises(LabelError, match="forces sum to 2.00 eV/Å") as caught:
        broken.label(argon())
    assert broken.asked == [{}] and "safer" not in str(caught.value)
    late = Broken("SCF not converged", torn)
    with pytest.raises(LabelError, match="SCF not converged; with safer settings: the forces sum to"):
        late.label(argon())


# --- commands ---------------------------------------------------------------------------------------------------


def test_a_command_labels(spring, pairs, spring_energy):
    springs = spring()
    label = springs.label(pairs[2])
    assert springs.name == "springs"
    assert label.energy == pytest.approx(spring_energy(pairs[2]), abs=1e-7)
    assert label.forces == pytest.approx(-pairs[2].positions, abs=1e-7)
    assert label.stress is None
    assert len(spring.calls()) == 1


def test_a_command_may_drive_dynamics(spring, pairs):
    atoms = pairs[0]
    atoms.calc = spring().calculator()
    assert atoms.get_forces() == pytest.approx(-atoms.positions, abs=1e-7)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("sys.stderr.write('licence expired\\n'); sys.exit(3)", "failed with exit status 3: licence expired"),
        ("os.kill(os.getpid(), 9)", "failed with signal SIGKILL"),
        ("sys.exit(0)", "wrote no output.extxyz"),
        ("energy = float('nan')", "the energy is nan"),
        ("n -= 1; rows.pop(); r.pop()", "wrote 1 atoms instead of 2"),
        ("r[0][0] = float('nan')", "moved the atoms, by up to nan"),
        ("r[1][2] += 0.1", "moved the atoms, by up to 0.1 Å"),
        ("rows.reverse()", "changed the order of the atoms"),
        ("open(sys.argv[2], 'w').write('2\\nrubbish'); sys.exit(0)", "that is not an extxyz file"),
        ("open(sys.argv[2], 'w').write(chr(10).join(lines)); sys.exit(0)", "wrote no energy"),
    ],
)
def test_what_can_be_wrong_with_a_command(spring, pairs, extra, message):
    with pytest.raises(LabelError, match=message) as caught:
        spring(extra).label(pairs[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 15)", "sys.exit(143)"])
def test_a_program_that_a_scheduler_ends_is_no_failure_of_the_configuration(spring, pairs, tmp_path, end):
    store, springs = LabelStore(tmp_path / "labels"), spring(end)
    with pytest.raises(ElectrolyteError, match="was ended by SIGTERM"):
        store.label_all([pairs[0]], springs, progress=False)
    assert store.failure(pairs[0], springs) is None


def test_a_command_leaves_nothing_in_the_users_folder(spring, pairs, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    spring("open('litter', 'w').write('x')").label(pairs[0])
    assert list((tmp_path / "here").iterdir()) == []


def test_a_commands_script_may_be_named_from_where_the_user_is(spring, pairs, monkeypatch):
    spring()
    monkeypatch.chdir(spring.log.parent)
    here = reference.get(f"command:{sys.executable} -S spring.py {{input}}.extxyz {{output}}.extxyz")
    assert here.label(pairs[0]).forces.shape == (2, 3)


def test_what_the_files_of_a_command_contain_belongs_to_its_labels(spring, pairs, tmp_path):
    store = LabelStore(tmp_path / "labels")
    first = spring()
    old = store.label(pairs[0], first).get_potential_energy()
    assert spring().key == first.key
    edited = spring("energy *= 2")
    assert edited.key != first.key
    assert store.label(pairs[0], edited).get_potential_energy() == pytest.approx(2 * old)
    assert store.label(pairs[0], first).get_potential_energy() == old  # what the former file gave is still known
    script = spring.log.parent / "script"
    keys = []
    for body in ("true", "false"):
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        keys.append(reference.get(f"command:{script} {{input}} {{output}}").key)
        assert [name for name, _ in keys[-1]["settings"]["contents"]] == ["script"]
    assert keys[0] != keys[1]


def test_files_of_a_command_are_known_by_content_wherever_they_are(tmp_path):
    def key(folder, content="1"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "m.nep").write_text(content)
        (tmp_path / folder / "prog").write_text("a program")
        (tmp_path / folder / "prog").chmod(0o755)
        return reference.get(
            f"command:{tmp_path / folder}/prog --model={tmp_path / folder}/m.nep {{input}} {{output}}"
        ).key

    assert key("a") == key("b")
    assert key("a") != key("a", "2")
    on_the_path = reference.get("command:sleep {input} {output}")
    assert on_the_path.settings == {"command": "sleep {input} {output}"}  # its version tells it apart
    reference.get(f"command:sh -c '{'true;' * 200}' {{input}} {{output}}")  # a word longer than file names may be


def test_files_of_a_calculator_are_known_by_content(tmp_path):
    def key(content, **others):
        (tmp_path / "model.txt").write_text(content)
        return reference.get(LennardJones(), model=str(tmp_path / "model.txt"), **others).key

    assert key("1") == key("1") != key("2")
    assert key("1", txt=str(tmp_path / "model.txt"))["settings"]["txt"] == str(tmp_path / "model.txt")  # an output


def test_the_pseudopotentials_of_vasp_belong_to_its_labels(tmp_path, monkeypatch):
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))
    (tmp_path / "potpaw_PBE" / "Li_sv").mkdir(parents=True)
    keys = []
    for content in ("old", "new"):
        (tmp_path / "potpaw_PBE" / "Li_sv" / "POTCAR").write_text(content)
        keys.append(reference.get("vasp-pbe-d3").key_of(Atoms("Li")))
    assert keys[0] != keys[1]


# --- VASP ---------------------------------------------------------------------------------------------------------


def read_incar(folder):
    pairs = (line.split("=") for line in (folder / "INCAR").read_text().splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


@pytest.fixture
def salt():
    from electrolyte_ml.structures import pack

    return pack({"EC": 2, "Li": 1, "PF6": 1}, 1.2)


def test_vasp_writes_the_papers_input(tmp_path, salt, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    reference.get("vasp-pbe-d3").write_inputs(salt, tmp_path)
    incar = read_incar(tmp_path)
    assert incar["GGA"] == "PE"
    assert incar["IVDW"] == "11"
    assert float(incar["ENCUT"]) == 550
    assert float(incar["EDIFF"]) == 1e-6
    assert (incar["NSW"], incar["ISIF"]) == ("0", "2")
    kpoints = (tmp_path / "KPOINTS").read_text().split("\n")
    assert kpoints[1].strip() == "0"
    assert kpoints[2].strip() == "Gamma"
    assert kpoints[3].split() == ["1", "1", "1"]


def test_vasp_takes_the_higher_cutoff_and_the_papers_valences(tmp_path, salt, monkeypatch):
    for name in ("H", "Li", "Li_sv", "C", "O", "F", "P"):
        folder = tmp_path / "potentials" / "potpaw_PBE" / name
        folder.mkdir(parents=True)
        (folder / "POTCAR").write_text(f" PAW_PBE {name}\n")
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path / "potentials"))
    vasp = reference.get("vasp-pbe-d3", encut=750)
    vasp.write_inputs(salt, tmp_path / "run")
    assert float(read_incar(tmp_path / "run")["ENCUT"]) == 750
    kinds = (tmp_path / "run" / "POSCAR").read_text().split("\n")[0].split()
    potentials = [line.split()[1] for line in (tmp_path / "run" / "POTCAR").read_text().splitlines()]
    assert potentials == [{"Li": "Li_sv"}.get(kind, kind) for kind in kinds]
    (tmp_path / "potentials" / "potpaw_PBE" / "P" / "POTCAR").unlink()
    with pytest.raises(InputError, match="No pseudopotential for P"):
        vasp.write_inputs(salt, tmp_path / "run")


def test_vasp_without_the_program(tmp_path, salt, monkeypatch):
    for name in ("ASE_VASP_COMMAND", "VASP_COMMAND", "VASP_SCRIPT", "VASP_PP_PATH"):
        monkeypatch.delenv(name, raising=False)
    vasp = reference.get("vasp-pbe-d3")
    with pytest.raises(InputError, match="the command that runs VASP is not set"):
        vasp.label(salt)
    monkeypatch.setenv("ASE_VASP_COMMAND", "/no/vasp_std")
    with pytest.raises(InputError, match="no program '/no/vasp_std'"):
        reference.LabelStore(tmp_path).label_all([salt], vasp)
    monkeypatch.setenv("ASE_VASP_COMMAND", sys.executable)
    with pytest.raises(InputError, match="VASP_PP_PATH"):
        vasp.require()
    salt.info["charge"] = 1
    with pytest.raises(InputError, match="neutral cells"):
        vasp.check(salt)


@pytest.mark.parametrize("name", reference.PRESETS)
def test_the_cost_is_known_without_the_program(name):
    cost = reference.cost_of(name)
    try:
        assert cost == reference.get(name).cost
    except InputError:  # not installed here
        assert cost is None or cost.seconds > 0


def test_the_cost_follows_the_settings():
    assert reference.cost_of("pyscf-pbe-d3", stress=False).seconds < reference.cost_of("pyscf-pbe-d3").seconds
    assert reference.cost_of("lj") is None
